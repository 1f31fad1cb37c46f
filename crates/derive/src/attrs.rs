//! The `#[state_type(...)]` attributes, read from the syntax tree.

use crate::names::Case;
use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, DeriveInput, ExprPath, Ident, LitStr, Result};

/// Attributes of a type.
#[derive(Default)]
pub struct TypeAttrs {
    name: Option<LitStr>,
    aliases: Vec<LitStr>,
    pub case: Option<Case>,
}

impl TypeAttrs {
    pub fn parse(input: &DeriveInput) -> Result<TypeAttrs> {
        let mut attrs = TypeAttrs::default();
        each(&input.attrs, |meta| {
            if meta.path.is_ident("java") || meta.path.is_ident("name") {
                if attrs.name.is_some() {
                    return Err(meta.error("the type's stored name is given twice"));
                }
                attrs.name = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("alias") {
                attrs.aliases.push(meta.value()?.parse()?);
            } else if meta.path.is_ident("rename_all") {
                let text: LitStr = meta.value()?.parse()?;
                attrs.case = Some(Case::parse(&text.value()).ok_or_else(|| {
                    syn::Error::new(
                        text.span(),
                        "known are \"camelCase\" and \"SCREAMING_SNAKE_CASE\"",
                    )
                })?);
            } else {
                return Err(meta.error("a type knows `java`, `name`, `alias` and `rename_all`"));
            }
            Ok(())
        })?;
        Ok(attrs)
    }

    /// The stored name and the earlier ones, as an expression of type `&[&str]`.
    pub fn class_names(&self, ident: &Ident) -> TokenStream {
        let text = ident.to_string();
        let name = match &self.name {
            Some(name) => quote!(#name),
            None => quote!(::core::concat!(::core::module_path!(), "::", #text)),
        };
        let aliases = &self.aliases;
        quote!(&[#name, #(#aliases),*])
    }
}

/// Where a field's serializer comes from.
#[derive(Default)]
pub enum Source {
    /// The field's type.
    #[default]
    Type,
    /// `SerdeSerializer`.
    Serde,
    /// A function of the user's.
    With(ExprPath),
}

/// Attributes of a field, or (only `rename`) of a variant.
#[derive(Default)]
pub struct FieldAttrs {
    pub rename: Option<String>,
    pub default: Option<ExprPath>,
    pub source: Source,
}

impl FieldAttrs {
    pub fn of_field(attrs: &[Attribute]) -> Result<FieldAttrs> {
        Self::parse(attrs, false)
    }

    pub fn of_variant(attrs: &[Attribute]) -> Result<FieldAttrs> {
        Self::parse(attrs, true)
    }

    fn parse(attrs: &[Attribute], variant: bool) -> Result<FieldAttrs> {
        let mut found = FieldAttrs::default();
        each(attrs, |meta| {
            if meta.path.is_ident("rename") {
                found.rename = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if variant {
                return Err(meta.error("a variant knows `rename`"));
            } else if meta.path.is_ident("default") {
                found.default = Some(meta.value()?.parse::<LitStr>()?.parse()?);
            } else if meta.path.is_ident("serde") {
                found.source = Source::Serde;
            } else if meta.path.is_ident("with") {
                found.source = Source::With(meta.value()?.parse::<LitStr>()?.parse()?);
            } else {
                return Err(meta.error("a field knows `rename`, `default`, `serde` and `with`"));
            }
            Ok(())
        })?;
        Ok(found)
    }
}

fn each(attrs: &[Attribute], mut one: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>) -> Result<()> {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("state_type"))
        .try_for_each(|attr| attr.parse_nested_meta(|meta| one(&meta)))
}
