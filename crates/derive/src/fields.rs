//! Fields as the derives see them: stored name, serializer, and how one is written, read and replaced by its default.

use crate::attrs::{FieldAttrs, Source};
use crate::names::Case;
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use std::collections::BTreeSet;
use syn::{
    Error, Fields, GenericArgument, Generics, Ident, Member, PathArguments, Result, Type, parse_quote,
};

/// One field.
pub struct Field {
    /// How the struct or variant names it.
    pub member: Member,
    /// Its stored name.
    pub stored: String,
    /// Its type as it is spelt.
    pub ty: Type,
    /// What its serializer writes: `T` where `ty` is `Option<T>` and `nullable`.
    pub written: Type,
    /// Whether a null flag stands for `None`.
    pub nullable: bool,
    /// The serializer's field that holds its serializer.
    pub slot: Ident,
    /// A variable for its value.
    pub var: Ident,
    attrs: FieldAttrs,
    shortcut: Option<Shortcut>,
}

/// Types so simple that the call through their serializer is left out.
enum Shortcut {
    /// A number or boolean: the buffer's methods that write and read it.
    Number(Ident, Ident),
    Text,
}

impl Shortcut {
    fn of(ty: &Type) -> Option<Shortcut> {
        let name = ty.to_token_stream().to_string();
        match name.as_str() {
            "bool" | "i8" | "i16" | "i32" | "i64" | "f32" | "f64" | "u16" | "u32" | "u64" => Some(
                Shortcut::Number(format_ident!("write_{name}"), format_ident!("read_{name}")),
            ),
            "String" => Some(Shortcut::Text),
            _ => None,
        }
    }
}

/// The fields of a struct or variant, in declared order. `prefix` keeps the names made here apart from those of other
/// variants; `nullable` says whether the format has a null flag for each field.
pub fn plan(
    owner: &Ident,
    fields: &Fields,
    case: Option<Case>,
    prefix: &str,
    nullable: bool,
) -> Result<Vec<Field>> {
    let mut names = BTreeSet::new();
    let mut plan = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        if mentions(field.ty.to_token_stream(), owner) {
            return Err(Error::new_spanned(
                &field.ty,
                "a stored type cannot contain itself",
            ));
        }
        let attrs = FieldAttrs::of_field(&field.attrs)?;
        let member = field.ident.clone().map_or(Member::from(i), Member::from);
        let stored = match (&attrs.rename, &field.ident) {
            (Some(name), _) => name.clone(),
            (None, Some(ident)) => {
                let name = ident.to_string();
                let name = name.trim_start_matches("r#");
                case.map_or_else(|| name.to_owned(), |case| case.apply(name))
            }
            (None, None) => format!("f{i}"),
        };
        if !names.insert(stored.clone()) {
            return Err(Error::new_spanned(
                field,
                format!("two fields are stored as `{stored}`"),
            ));
        }
        let inner = if nullable { option_of(&field.ty) } else { None };
        let written = inner.clone().unwrap_or_else(|| field.ty.clone());
        let shortcut = match attrs.source {
            Source::Type if inner.is_none() => Shortcut::of(&written),
            _ => None,
        };
        plan.push(Field {
            member,
            stored,
            ty: field.ty.clone(),
            written,
            nullable: inner.is_some(),
            slot: format_ident!("{prefix}s{i}"),
            var: format_ident!("__{prefix}f{i}"),
            attrs,
            shortcut,
        });
    }
    Ok(plan)
}

/// Whether the type names `owner` itself (and not a namesake in some module).
fn mentions(tokens: TokenStream, owner: &Ident) -> bool {
    let mut after_path = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) if mentions(group.stream(), owner) => return true,
            TokenTree::Ident(ident) if !after_path && (ident == *owner || ident == "Self") => return true,
            TokenTree::Punct(punct) => {
                after_path = punct.as_char() == ':';
                continue;
            }
            _ => {}
        }
        after_path = false;
    }
    false
}

/// `T` of `Option<T>`, however its path is spelt.
fn option_of(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last().filter(|s| s.ident == "Option")?;
    let PathArguments::AngleBracketed(args) = &last.arguments else {
        return None;
    };
    match args.args.first() {
        Some(GenericArgument::Type(inner)) if args.args.len() == 1 => Some(inner.clone()),
        _ => None,
    }
}

/// The generics with `bound` on each type parameter.
pub fn bounded(generics: &Generics, bound: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    for param in generics.type_params_mut() {
        param.bounds.push(parse_quote!(#bound));
        param.default = None;
    }
    generics
}

impl Field {
    /// `slot: SharedSerializer<T>`.
    pub fn slot_declaration(&self) -> TokenStream {
        let Field { slot, written, .. } = self;
        quote!(#slot: __types::SharedSerializer<#written>)
    }

    /// `slot: <the serializer>`.
    pub fn slot_value(&self) -> TokenStream {
        let Field { slot, written, .. } = self;
        match &self.attrs.source {
            Source::Type => quote!(#slot: <#written as __types::StateType>::serializer()),
            Source::Serde => quote!(#slot: __types::SerdeSerializer::<#written>::shared()),
            Source::With(path) => quote!(#slot: #path()),
        }
    }

    /// Writes the value behind the reference `value`.
    pub fn write(&self, value: &TokenStream) -> TokenStream {
        let slot = &self.slot;
        match &self.shortcut {
            Some(Shortcut::Number(write, _)) => quote!(__out.#write(*#value);),
            Some(Shortcut::Text) => quote!(__types::string::write_string(#value, __out)?;),
            None => quote!(__types::TypeSerializer::serialize(&*self.#slot, #value, __out)?;),
        }
    }

    /// An expression that reads a value.
    pub fn read(&self) -> TokenStream {
        let slot = &self.slot;
        match &self.shortcut {
            Some(Shortcut::Number(_, read)) => quote!(__input.#read()?),
            Some(Shortcut::Text) => quote!(__types::string::read_string(__input)?),
            None => quote!(__types::TypeSerializer::deserialize(&*self.#slot, __input)?),
        }
    }

    /// `(name, snapshot)`.
    pub fn named_snapshot(&self) -> TokenStream {
        let Field { slot, stored, .. } = self;
        quote!((#stored, __types::TypeSerializer::snapshot(&*self.#slot)))
    }

    /// An expression of type `Option<ty>`: the value where none is stored.
    fn default(&self) -> TokenStream {
        let ty = &self.ty;
        match &self.attrs.default {
            Some(path) => quote!(::core::option::Option::<#ty>::Some(#path())),
            None => quote!(__types::DefaultProbe::<#ty>::new().get()),
        }
    }

    /// A `FieldCheck`.
    pub fn check(&self) -> TokenStream {
        let Field { slot, stored, .. } = self;
        let rust_type = self.ty.to_token_stream().to_string().replace(' ', "");
        let default = self.default();
        quote! {
            __types::FieldCheck {
                name: #stored,
                rust_type: #rust_type,
                has_default: #default.is_some(),
                resolve: &|__field: &__types::SerializerSnapshot| {
                    __types::TypeSerializer::resolve_compatibility(&*self.#slot, __field)
                },
            }
        }
    }

    /// `let mut var: Option<ty> = None;`
    pub fn empty_variable(&self) -> TokenStream {
        let Field { var, ty, .. } = self;
        quote!(let mut #var: ::core::option::Option<#ty> = ::core::option::Option::None;)
    }

    /// `member: value`, from the variable after migration.
    pub fn stored_or_default(&self) -> TokenStream {
        let Field {
            member, var, stored, ..
        } = self;
        let default = self.default();
        quote!(#member: __types::stored_or_default(#var, || #default, __CLASS, #stored)?)
    }

    /// `member: var`.
    pub fn init(&self) -> TokenStream {
        let Field { member, var, .. } = self;
        quote!(#member: #var)
    }
}

/// The serializer's struct with its constructor and `Debug`, which all kinds of types have in common.
pub fn serializer_struct(owner: &Ident, generics: &Generics, fields: &[&Field]) -> TokenStream {
    let bounded = bounded(generics, &quote!(__types::StateType));
    let (impl_generics, type_generics, where_clause) = bounded.split_for_impl();
    let declarations = fields.iter().map(|f| f.slot_declaration());
    let values = fields.iter().map(|f| f.slot_value());
    let text = format!("{owner}Serializer");
    quote! {
        struct __Serializer #impl_generics #where_clause {
            #(#declarations,)*
        }

        impl #impl_generics __Serializer #type_generics #where_clause {
            fn __new() -> Self {
                __Serializer { #(#values,)* }
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::fmt::Debug for __Serializer #type_generics #where_clause {
            fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                __f.write_str(#text)
            }
        }
    }
}
