//! `#[derive(StateType)]` and `#[derive(JavaHash)]`: Flink's formats for Rust structs and enums.
//!
//! The macros write only what depends on the type's fields: the order in which they are written and read, and which of
//! them take defaults. The formats themselves are ordinary code in `millpond_types::serializer` (`pojo`, `enums`,
//! `tagged`, `fields`), which what is written here calls.

mod attrs;
mod fields;
mod hash;
mod names;
mod pojo;
mod tagged;
mod unit_enum;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result, parse_macro_input};

/// Gives a struct or an enum its default serializer.
///
/// | what | format | Flink's class |
/// |---|---|---|
/// | struct | POJO: fields sorted by name, each with a null flag | `PojoSerializer` |
/// | enum without data | the ordinal | `EnumSerializer` |
/// | enum with data | variant number, then its fields | none; Flink refuses it by name |
///
/// A struct's field of type `Option<T>` (so spelt) is a nullable field of `T`'s type. The fields of a tuple struct are
/// called `f0`, `f1` and so on. A type cannot contain itself.
///
/// Making a struct's field an option needs no migration. Nor does the way back, but then a stored null is an error that
/// names the field when it is read.
///
/// When the type changes later, state that was stored before is migrated: removed fields are read over; new fields take
/// `#[state_type(default = "...")]`, else their type's `Default`; the order of fields and variants doesn't matter, and
/// variants may be added. Removing a variant that was stored is refused.
///
/// # Attributes
/// On the type:
/// - `#[state_type(java = "com.example.UserInfo")]`: the Java class that the values belong to in Flink. Without it the
///   class's name is the type's Rust path, which Flink refuses by name.
/// - `#[state_type(name = "...")]`: the same, for a name that isn't Java's: state then survives that the type moves.
/// - `#[state_type(alias = "...")]`: a name that the type had before; may be repeated.
/// - `#[state_type(rename_all = "camelCase")]`: names of fields as Java spells them. For an enum's variants
///   `"SCREAMING_SNAKE_CASE"`.
///
/// On a field (and `rename` on a variant):
/// - `#[state_type(rename = "userId")]`: the stored name.
/// - `#[state_type(default = "path")]`: a function that makes the value where stored data lacks the field.
/// - `#[state_type(serde)]`: this field goes through `SerdeSerializer`.
/// - `#[state_type(with = "path")]`: a function that gives this field's `SharedSerializer` (for a struct's `Option<T>`
///   field, one of `T`).
#[proc_macro_derive(StateType, attributes(state_type))]
pub fn derive_state_type(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    state_type(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

/// Gives a struct or an enum the `hashCode` that Java's usual convention gives it.
///
/// - A struct: `Objects.hash` of its fields in declared order (start with 1; for each field 31 times the hash so far plus
///   the field's; a missing option counts as 0). Where the Java class has another `hashCode`, implement `JavaHash` by
///   hand to match it.
/// - A struct with `#[java_hash(record)]`: as OpenJDK hashes a record, the same begun with 0.
/// - An enum without data: its ordinal. Java's own enums hash by identity, differently in every process, which is why
///   Flink refuses them as keys; here they are allowed.
/// - An enum with data: `Objects.hash` of the ordinal and the variant's fields.
#[proc_macro_derive(JavaHash, attributes(java_hash))]
pub fn derive_java_hash(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    hash::derive(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn state_type(input: &DeriveInput) -> Result<TokenStream> {
    let attrs = attrs::TypeAttrs::parse(input)?;
    let code = match &input.data {
        Data::Struct(data) => pojo::derive(input, &attrs, &data.fields)?,
        Data::Enum(data) if data.variants.is_empty() => {
            return Err(Error::new_spanned(
                &input.ident,
                "an enum without variants has no values to store",
            ));
        }
        Data::Enum(data) if data.variants.iter().all(|v| matches!(v.fields, Fields::Unit)) => {
            unit_enum::derive(input, &attrs, data)?
        }
        Data::Enum(data) => tagged::derive(input, &attrs, data)?,
        Data::Union(data) => {
            return Err(Error::new_spanned(data.union_token, "a union cannot be stored"));
        }
    };
    let types = names::types_crate();
    let class_names = attrs.class_names(&input.ident);
    let ident = &input.ident;
    let generics = fields::bounded(&input.generics, &quote!(__types::StateType));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        const _: () = {
            use #types::__derive as __types;
            use __types::NoDefault as _;

            /// The class, then the names that it had before.
            const __CLASSES: &[&str] = #class_names;
            const __CLASS: &str = match __CLASSES.first() {
                ::core::option::Option::Some(class) => class,
                ::core::option::Option::None => "",
            };

            #code

            #[automatically_derived]
            impl #impl_generics __types::StateType for #ident #type_generics #where_clause {
                fn serializer() -> __types::SharedSerializer<Self> {
                    ::std::sync::Arc::new(<__Serializer #type_generics>::__new())
                }
            }
        };
    })
}
