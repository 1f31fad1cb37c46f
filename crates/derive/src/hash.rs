//! `#[derive(JavaHash)]`: code over `millpond_types::key::hash_next`.

use crate::fields::bounded;
use crate::names::types_crate;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Member, Result};

pub fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    let record = is_record(input)?;
    let body = match &input.data {
        Data::Struct(data) => {
            let start = i32::from(!record);
            let members = data.fields.members();
            quote! {
                let __hash = #start;
                #(let __hash = __types::hash_next(__hash, &self.#members);)*
                __hash
            }
        }
        _ if record => return Err(Error::new_spanned(ident, "only a struct can be a record")),
        Data::Enum(data) => {
            let arms = (0i32..).zip(&data.variants).map(|(ordinal, variant)| {
                let name = &variant.ident;
                if matches!(variant.fields, Fields::Unit) && data.variants.iter().all(|v| v.fields.is_empty())
                {
                    return quote!(#ident::#name => #ordinal);
                }
                let members: Vec<Member> = variant.fields.members().collect();
                let vars: Vec<_> = (0..members.len()).map(|i| format_ident!("__f{i}")).collect();
                quote! {
                    #ident::#name { #(#members: #vars),* } => {
                        let __hash = __types::hash_next(1, &#ordinal);
                        #(let __hash = __types::hash_next(__hash, #vars);)*
                        __hash
                    }
                }
            });
            if data.variants.is_empty() {
                quote!(match *self {})
            } else {
                quote!(match self { #(#arms,)* })
            }
        }
        Data::Union(data) => return Err(Error::new_spanned(data.union_token, "a union has no hash")),
    };
    let types = types_crate();
    let generics = bounded(&input.generics, &quote!(__types::JavaHash));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        const _: () = {
            use #types::__derive as __types;

            #[automatically_derived]
            impl #impl_generics __types::JavaHash for #ident #type_generics #where_clause {
                #[inline]
                fn java_hash(&self) -> i32 {
                    #body
                }
            }
        };
    })
}

fn is_record(input: &DeriveInput) -> Result<bool> {
    let mut record = false;
    for attr in input.attrs.iter().filter(|a| a.path().is_ident("java_hash")) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("record") {
                return Err(meta.error("known is `record`"));
            }
            record = true;
            Ok(())
        })?;
    }
    Ok(record)
}
