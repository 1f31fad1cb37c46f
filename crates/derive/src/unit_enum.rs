//! Enums without data: code over `millpond_types::serializer::enums`.

use crate::attrs::{FieldAttrs, TypeAttrs};
use crate::fields::serializer_struct;
use proc_macro2::TokenStream;
use quote::quote;
use std::collections::BTreeSet;
use syn::{DataEnum, DeriveInput, Error, Result};

/// The stored names of an enum's variants.
pub fn variant_names(attrs: &TypeAttrs, data: &DataEnum) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    data.variants
        .iter()
        .map(|variant| {
            let ident = variant.ident.to_string();
            let name = match FieldAttrs::of_variant(&variant.attrs)?.rename {
                Some(name) => name,
                None => attrs.case.map_or(ident.clone(), |case| case.apply(&ident)),
            };
            if !seen.insert(name.clone()) {
                return Err(Error::new_spanned(
                    variant,
                    format!("two variants are stored as `{name}`"),
                ));
            }
            Ok(name)
        })
        .collect()
}

pub fn derive(input: &DeriveInput, attrs: &TypeAttrs, data: &DataEnum) -> Result<TokenStream> {
    let ident = &input.ident;
    let names = variant_names(attrs, data)?;
    let variants: Vec<_> = data.variants.iter().map(|v| &v.ident).collect();
    let ordinals: Vec<i32> = (0..).take(variants.len()).collect();
    let serializer = serializer_struct(ident, &input.generics, &[]);
    Ok(quote! {
        #serializer

        const __CONSTANTS: &[&str] = &[#(#names),*];

        #[automatically_derived]
        impl __types::TypeSerializer<#ident> for __Serializer {
            #[inline]
            fn serialize(&self, __value: &#ident, __out: &mut __types::DataOutput) -> __types::Result<()> {
                __out.write_i32(match __value {
                    #(#ident::#variants => #ordinals,)*
                });
                ::core::result::Result::Ok(())
            }
            #[inline]
            fn deserialize(&self, __input: &mut __types::DataInput<'_>) -> __types::Result<#ident> {
                ::core::result::Result::Ok(match __input.read_i32()? {
                    #(#ordinals => #ident::#variants,)*
                    __other => return ::core::result::Result::Err(__types::enums::unknown_ordinal(__CLASS, __other)),
                })
            }
            fn snapshot(&self) -> __types::SerializerSnapshot {
                __types::enums::snapshot(__CLASS, __CONSTANTS)
            }
            fn resolve_compatibility(&self, __old: &__types::SerializerSnapshot) -> __types::Compatibility {
                __types::enums::resolve(__CLASSES, __CONSTANTS, __old)
            }
            fn deserialize_migrating(
                &self,
                __old: &__types::SerializerSnapshot,
                __input: &mut __types::DataInput<'_>,
            ) -> __types::Result<#ident> {
                ::core::result::Result::Ok(match __types::enums::read_constant(__old, __input)? {
                    #(#names => #ident::#variants,)*
                    __other => return ::core::result::Result::Err(__types::enums::removed_variant(__CLASS, __other)),
                })
            }
        }
    })
}
