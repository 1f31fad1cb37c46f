//! Enums with data: code over `millpond_types::serializer::tagged`.

use crate::attrs::TypeAttrs;
use crate::fields::{Field, bounded, plan, serializer_struct};
use crate::names::Case;
use crate::unit_enum::variant_names;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Ident, Result};

struct Variant<'a> {
    ident: &'a Ident,
    number: i32,
    name: String,
    fields: Vec<Field>,
}

pub fn derive(input: &DeriveInput, attrs: &TypeAttrs, data: &DataEnum) -> Result<TokenStream> {
    let ident = &input.ident;
    // Only camel case is a way to spell fields.
    let field_case = attrs.case.filter(|case| matches!(case, Case::Camel));
    let names = variant_names(attrs, data)?;
    let mut variants = Vec::new();
    for ((number, variant), name) in (0..).zip(&data.variants).zip(names) {
        let fields = plan(ident, &variant.fields, field_case, &format!("v{number}_"), false)?;
        variants.push(Variant {
            ident: &variant.ident,
            number,
            name,
            fields,
        });
    }
    let generics = bounded(&input.generics, &quote!(__types::StateType));
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let all_fields: Vec<_> = variants.iter().flat_map(|v| &v.fields).collect();
    let serializer = serializer_struct(ident, &input.generics, &all_fields);
    let writes = variants.iter().map(|v| v.write(ident));
    let reads = variants.iter().map(|v| v.read(ident));
    let snapshots = variants.iter().map(Variant::snapshot);
    let checks = variants.iter().map(Variant::check);
    let migrations = variants.iter().map(|v| v.migrate(ident));
    Ok(quote! {
        #serializer

        #[automatically_derived]
        impl #impl_generics __types::TypeSerializer<#ident #type_generics> for __Serializer #type_generics #where_clause {
            fn serialize(
                &self,
                __value: &#ident #type_generics,
                __out: &mut __types::DataOutput,
            ) -> __types::Result<()> {
                match __value {
                    #(#writes)*
                }
                ::core::result::Result::Ok(())
            }
            fn deserialize(&self, __input: &mut __types::DataInput<'_>) -> __types::Result<#ident #type_generics> {
                ::core::result::Result::Ok(match __input.read_i32()? {
                    #(#reads)*
                    __other => return ::core::result::Result::Err(__types::enums::unknown_ordinal(__CLASS, __other)),
                })
            }
            fn snapshot(&self) -> __types::SerializerSnapshot {
                __types::tagged::snapshot(__CLASS, ::std::vec![#(#snapshots),*])
            }
            fn resolve_compatibility(&self, __old: &__types::SerializerSnapshot) -> __types::Compatibility {
                __types::tagged::resolve(__CLASSES, &[#(#checks),*], __old)
            }
            fn deserialize_migrating(
                &self,
                __old: &__types::SerializerSnapshot,
                __input: &mut __types::DataInput<'_>,
            ) -> __types::Result<#ident #type_generics> {
                let (__variant, __fields) = __types::tagged::read_variant(__old, __input)?;
                ::core::result::Result::Ok(match __variant {
                    #(#migrations)*
                    __other => return ::core::result::Result::Err(__types::enums::removed_variant(__CLASS, __other)),
                })
            }
        }
    })
}

impl Variant<'_> {
    fn write(&self, owner: &Ident) -> TokenStream {
        let Variant {
            ident,
            number,
            fields,
            ..
        } = self;
        let bindings = fields.iter().map(Field::init);
        let writes = fields.iter().map(|f| {
            let var = &f.var;
            f.write(&quote!(#var))
        });
        quote! {
            #owner::#ident { #(#bindings),* } => {
                __out.write_i32(#number);
                #(#writes)*
            }
        }
    }

    fn read(&self, owner: &Ident) -> TokenStream {
        let Variant {
            ident,
            number,
            fields,
            ..
        } = self;
        let reads = fields.iter().map(|f| {
            let (var, read) = (&f.var, f.read());
            quote!(let #var = #read;)
        });
        let inits = fields.iter().map(Field::init);
        quote! {
            #number => {
                #(#reads)*
                #owner::#ident { #(#inits),* }
            }
        }
    }

    fn snapshot(&self) -> TokenStream {
        let name = &self.name;
        let fields = self.fields.iter().map(Field::named_snapshot);
        quote!((#name, ::std::vec![#(#fields),*]))
    }

    fn check(&self) -> TokenStream {
        let name = &self.name;
        let fields = self.fields.iter().map(Field::check);
        quote!(__types::VariantCheck { name: #name, fields: &[#(#fields),*] })
    }

    fn migrate(&self, owner: &Ident) -> TokenStream {
        let Variant {
            ident, name, fields, ..
        } = self;
        let variables = fields.iter().map(Field::empty_variable);
        let arms = fields.iter().map(
            |Field {
                 var, slot, stored, ..
             }| {
                quote! {
                    #stored => {
                        #var = ::core::option::Option::Some(
                            __types::tagged::migrate_field(&*self.#slot, __field, __input)?
                        );
                    }
                }
            },
        );
        let inits = fields.iter().map(Field::stored_or_default);
        quote! {
            #name => {
                #(#variables)*
                for (__name, __field) in __fields {
                    match __name {
                        #(#arms)*
                        _ => __types::tagged::skip_field(__field, __input)?,
                    }
                }
                #owner::#ident { #(#inits),* }
            }
        }
    }
}
