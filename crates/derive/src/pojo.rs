//! Structs: code over `millpond_types::serializer::pojo`.

use crate::attrs::TypeAttrs;
use crate::fields::{Field, bounded, plan, serializer_struct};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Fields, Result};

pub fn derive(input: &DeriveInput, attrs: &TypeAttrs, fields: &Fields) -> Result<TokenStream> {
    let ident = &input.ident;
    let mut fields = plan(ident, fields, attrs.case, "", true)?;
    // As `PojoTypeInfo` sorts them: Java compares strings by their UTF-16 units.
    fields.sort_by(|a, b| a.stored.encode_utf16().cmp(b.stored.encode_utf16()));

    let generics = bounded(&input.generics, &quote!(__types::StateType));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let serializer = serializer_struct(ident, &input.generics, &fields.iter().collect::<Vec<_>>());
    let writes = fields.iter().map(write);
    let reads = fields.iter().map(read);
    let inits = fields.iter().map(Field::init);
    let snapshots = fields.iter().map(Field::named_snapshot);
    let checks = fields.iter().map(Field::check);
    let variables = fields.iter().map(Field::empty_variable);
    let migrated = fields.iter().map(Field::stored_or_default);
    let reader = field_reader(&fields);
    Ok(quote! {
        #serializer

        #[automatically_derived]
        impl #impl_generics __types::TypeSerializer<#ident #type_generics> for __Serializer #type_generics #where_clause {
            #[inline]
            fn serialize(
                &self,
                __value: &#ident #type_generics,
                __out: &mut __types::DataOutput,
            ) -> __types::Result<()> {
                __types::pojo::write_flags(__out);
                #(#writes)*
                ::core::result::Result::Ok(())
            }
            #[inline]
            fn deserialize(&self, __input: &mut __types::DataInput<'_>) -> __types::Result<#ident #type_generics> {
                __types::pojo::read_flags(__input, __CLASS)?;
                #(#reads)*
                ::core::result::Result::Ok(#ident { #(#inits,)* })
            }
            fn snapshot(&self) -> __types::SerializerSnapshot {
                __types::pojo::snapshot(__CLASS, ::std::vec![#(#snapshots),*])
            }
            fn resolve_compatibility(&self, __old: &__types::SerializerSnapshot) -> __types::Compatibility {
                __types::pojo::resolve(__CLASSES, &[#(#checks),*], __old)
            }
            fn deserialize_migrating(
                &self,
                __old: &__types::SerializerSnapshot,
                __input: &mut __types::DataInput<'_>,
            ) -> __types::Result<#ident #type_generics> {
                #(#variables)*
                __types::pojo::migrate(__old, __input, __CLASS, #reader)?;
                ::core::result::Result::Ok(#ident { #(#migrated,)* })
            }
        }
    })
}

fn write(field: &Field) -> TokenStream {
    let Field { member, slot, .. } = field;
    if field.nullable {
        return quote!(__types::pojo::write_nullable(&*self.#slot, &__value.#member, __out)?;);
    }
    let write = field.write(&quote!((&__value.#member)));
    quote! {
        __out.write_bool(false);
        #write
    }
}

fn read(field: &Field) -> TokenStream {
    let Field {
        var, slot, stored, ..
    } = field;
    if field.nullable {
        return quote!(let #var = __types::pojo::read_nullable(&*self.#slot, __input)?;);
    }
    let read = field.read();
    quote! {
        __types::pojo::read_present(__input, __CLASS, #stored)?;
        let #var = #read;
    }
}

/// The closure that reads a stored field by its name.
fn field_reader(fields: &[Field]) -> TokenStream {
    if fields.is_empty() {
        return quote!(|_, _, _| ::core::result::Result::Ok(false));
    }
    let arms = fields.iter().map(
        |Field {
             var,
             slot,
             stored,
             nullable,
             ..
         }| {
            let read = if *nullable {
                quote!(__types::pojo::migrate_nullable(&*self.#slot, __field, __input)?)
            } else {
                quote!(__types::pojo::migrate_field(&*self.#slot, __field, __input, __CLASS, #stored)?)
            };
            quote!(#stored => #var = ::core::option::Option::Some(#read))
        },
    );
    quote! {
        |__name, __field, __input| {
            match __name {
                #(#arms,)*
                _ => return ::core::result::Result::Ok(false),
            }
            ::core::result::Result::Ok(true)
        }
    }
}
