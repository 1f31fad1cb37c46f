//! What each customer has spent: orders come from a Kafka topic, new totals go to another one, exactly once.
//!
//! An order is `customer,cents`; a total is the same, with the customer as the record's key. Whoever reads the totals with
//! `isolation.level=read_committed` sees each total once, however often the job is killed and started again.
//!
//! ```sh
//! orders --bootstrap-servers localhost:9092 --from orders --to totals \
//!   -D execution.checkpointing.interval=10s -D execution.checkpointing.dir=/var/lib/orders
//! ```

use clap::Args;
use millpond::kafka::{
    DeliveryGuarantee, KafkaRecordDeserializer, KafkaRecordSerializer, KafkaSink, KafkaSource,
    OffsetsInitializer,
};
use millpond::prelude::*;
use std::process::ExitCode;

/// Options of the orders job.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Orders")]
struct OrdersArgs {
    /// The brokers to ask first.
    #[arg(long, value_name = "HOST:PORT,…", default_value = "localhost:9092")]
    bootstrap_servers: String,

    /// The topic that orders come from.
    #[arg(long, value_name = "TOPIC", default_value = "orders")]
    from: String,

    /// The topic that totals go to.
    #[arg(long, value_name = "TOPIC", default_value = "totals")]
    to: String,

    /// An option of Kafka's clients, by librdkafka's name: security.protocol=sasl_ssl, ssl.ca.location=…
    #[arg(long = "kafka", value_name = "KEY=VALUE", value_parser = key_and_value)]
    properties: Vec<(String, String)>,

    /// End where the topic ends now, instead of waiting for more orders.
    #[arg(long)]
    bounded: bool,
}

fn key_and_value(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("an option has the form KEY=VALUE")?;
    Ok((key.to_string(), value.to_string()))
}

#[derive(Clone, Debug, PartialEq, Eq, StateType)]
struct Order {
    customer: String,
    cents: i64,
}

impl Order {
    fn parse(bytes: &[u8]) -> Result<Order> {
        let wrong = || {
            Error::new(
                ErrorKind::BadRecord,
                "read order",
                "not of the form customer,cents",
            )
            .with("record", String::from_utf8_lossy(bytes))
        };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
        let (customer, cents) = text.rsplit_once(',').ok_or_else(wrong)?;
        Ok(Order {
            customer: customer.to_string(),
            cents: cents.trim().parse().map_err(|_| wrong())?,
        })
    }
}

/// Adds up what each customer spends.
#[derive(Default)]
struct Spent {
    cents: ValueState<i64>,
}

impl KeyedProcessFunction for Spent {
    type Key = String;
    type In = Order;
    type Out = Order;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        self.cents = ctx.state(ValueStateDescriptor::new("cents").default_value(0))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        order: Order,
        _ctx: &mut KeyedContext<'_, String>,
        out: &mut Collector<'_, Order>,
    ) -> Result<()> {
        let cents = self.cents.value()? + order.cents;
        self.cents.update(cents)?;
        out.collect(Order { cents, ..order });
        Ok(())
    }
}

fn build(env: &StreamExecutionEnvironment, args: &OrdersArgs) -> Result<()> {
    let mut source = KafkaSource::builder()
        .bootstrap_servers(&args.bootstrap_servers)
        .topics([&args.from])
        .group_id("orders")
        .starting_offsets(OffsetsInitializer::earliest())
        .deserializer(KafkaRecordDeserializer::value_only(Order::parse));
    let mut sink = KafkaSink::builder()
        .bootstrap_servers(&args.bootstrap_servers)
        .serializer(
            KafkaRecordSerializer::topic(&args.to)
                .value(|total: &Order, out| {
                    out.extend_from_slice(format!("{},{}", total.customer, total.cents).as_bytes());
                    Ok(())
                })
                .key(|total: &Order, out| {
                    out.extend_from_slice(total.customer.as_bytes());
                    Ok(())
                }),
        )
        .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
        // Transactions of an earlier life are found by this: no other job may have it.
        .transactional_id_prefix("orders")
        // No longer than brokers allow by default.
        .property("transaction.timeout.ms", "900000");
    for (key, value) in &args.properties {
        source = source.property(key, value);
        sink = sink.property(key, value);
    }
    if args.bounded {
        source = source.bounded(OffsetsInitializer::latest());
    }
    env.from_source(source.build()?, WatermarkStrategy::no_watermarks(), "orders")
        .uid("orders")
        .key_by(|order: &Order| order.customer.clone())
        .process(Spent::default)
        .uid("spent")
        .sink_to(sink.build()?)
        .uid("totals");
    Ok(())
}

fn main() -> ExitCode {
    millpond::job("orders")
        .about("Adds up what each customer spends, from a Kafka topic to another, exactly once.")
        .args::<OrdersArgs>()
        .run_with(build)
}
