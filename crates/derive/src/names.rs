//! Names: of the types crate where the macro is used, and of fields and variants as Java spells them.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

/// The path of `millpond_types`: the crate itself, or the `types` module of the facade.
pub fn types_crate() -> TokenStream {
    if let Some(name) = find("millpond-types", "millpond_types") {
        return quote!(::#name);
    }
    match find("millpond", "millpond") {
        Some(name) => quote!(::#name::types),
        // The compiler then says which crate it misses.
        None => quote!(::millpond_types),
    }
}

fn find(package: &str, itself: &str) -> Option<Ident> {
    let name = match crate_name(package).ok()? {
        // Tests, examples and doc tests of the crate itself see it from outside.
        FoundCrate::Itself => itself.to_owned(),
        FoundCrate::Name(name) => name,
    };
    Some(Ident::new(&name, Span::call_site()))
}

/// How `rename_all` spells names.
#[derive(Clone, Copy, Debug)]
pub enum Case {
    /// `camelCase`, from Rust's `snake_case` or `CamelCase`.
    Camel,
    /// `SCREAMING_SNAKE_CASE`.
    ScreamingSnake,
}

impl Case {
    pub fn parse(text: &str) -> Option<Case> {
        match text {
            "camelCase" => Some(Case::Camel),
            "SCREAMING_SNAKE_CASE" => Some(Case::ScreamingSnake),
            _ => None,
        }
    }

    /// `name` in this case.
    pub fn apply(self, name: &str) -> String {
        let words = words(name);
        match self {
            Case::ScreamingSnake => words.join("_").to_uppercase(),
            Case::Camel => words
                .iter()
                .enumerate()
                .map(|(i, word)| if i == 0 { word.clone() } else { capitalized(word) })
                .collect(),
        }
    }
}

/// The words of a name, in lower case: split at underscores and before capitals that follow a small letter or a digit.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_small = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && before_small) {
            words.push(String::new());
        }
        if c != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before_small = c.is_lowercase() || c.is_ascii_digit();
    }
    words.retain(|w| !w.is_empty());
    words
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(chars)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_respelled_as_java_spells_them() {
        // Goal: rename_all gives the usual Java names. Method: fields and variants with digits and single letters.
        assert_eq!(Case::Camel.apply("user_id"), "userId");
        assert_eq!(Case::Camel.apply("a_b2_c"), "aB2C");
        assert_eq!(Case::ScreamingSnake.apply("InFlight"), "IN_FLIGHT");
        assert_eq!(Case::ScreamingSnake.apply("Phase2Done"), "PHASE2_DONE");
    }
}
