//! Typed parameters: declared once, with their defaults and descriptions, by
//! [`parameters!`](crate::parameters).

use std::fmt::Display;
use std::str::FromStr;

/// A parameter as the host knows it.
///
/// ```
/// # use hotpit_agent::{Parameters, Price, parameters};
/// # parameters! {
/// #     /// Of the example.
/// #     struct Params {
/// #         /// The most to pay, in dollars.
/// #         limit: Price,
/// #     }
/// # }
/// let parameter = &Params::declared()[0];
/// assert_eq!((parameter.name.as_str(), &parameter.default), ("limit", &None));
/// assert_eq!(parameter.description, "The most to pay, in dollars.");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the agent's settings.
    pub name: String,
    /// Its value if the operator sets none; none: the operator must set one.
    pub default: Option<String>,
    /// What it does, and its unit.
    pub description: String,
}

/// What an operator can set. Implemented by [`parameters!`](crate::parameters), and by `()` for
/// an agent that has nothing to set.
///
/// ```
/// use hotpit_agent::{Parameters, parameters};
///
/// parameters! {
///     /// What the operator can set.
///     struct Params {
///         /// How long to wait, in seconds.
///         wait: u64 = 5,
///     }
/// }
///
/// assert_eq!(Params::from_pairs(&[])?.wait, 5);
/// # Ok::<(), String>(())
/// ```
pub trait Parameters: Sized {
    /// The parameters with their defaults and descriptions.
    ///
    /// ```
    /// # use hotpit_agent::{Parameters, parameters};
    /// # parameters! {
    /// #     /// Of the example.
    /// #     struct Params {
    /// #         /// How long to wait, in seconds.
    /// #         wait: u64 = 5,
    /// #         /// The market to trade, by ticker.
    /// #         ticker: String,
    /// #     }
    /// # }
    /// let declared = Params::declared();
    /// let must_be_set = declared.iter().filter(|parameter| parameter.default.is_none());
    /// assert_eq!(must_be_set.map(|parameter| &parameter.name).collect::<Vec<_>>(), ["ticker"]);
    /// ```
    #[must_use]
    fn declared() -> Vec<Parameter>;

    /// Reads the values that the host gives. None if one of them has a problem, which `values`
    /// holds then.
    ///
    /// ```
    /// use hotpit_agent::{Parameter, Parameters, Values};
    ///
    /// /// Written by hand: a value that depends on another.
    /// struct Sizes { first: u32, most: u32 }
    ///
    /// impl Parameters for Sizes {
    /// # fn declared() -> Vec<Parameter> {
    /// #     let sized = |name: &str| {
    /// #         let (name, description) = (name.into(), "A size.".into());
    /// #         Parameter { name, default: Some("1".into()), description }
    /// #     };
    /// #     vec![sized("first"), sized("most")]
    /// # }
    ///     fn read(values: &mut Values<'_>) -> Option<Self> {
    ///         let first = values.read("first", Some(1))?;
    ///         Some(Self { first, most: values.read("most", Some(10 * first))? })
    ///     }
    /// }
    ///
    /// assert_eq!(Sizes::from_pairs(&[("first".into(), "3".into())])?.most, 30);
    /// # assert_eq!(Sizes::from_pairs(&[])?.first, 1);
    /// # Ok::<(), String>(())
    /// ```
    fn read(values: &mut Values<'_>) -> Option<Self>;

    /// Reads the values that the host gives.
    ///
    /// ```
    /// # use hotpit_agent::{Parameters, parameters};
    /// # parameters! {
    /// #     /// Of the example.
    /// #     #[derive(Eq)]
    /// #     struct Params {
    /// #         /// How long to wait, in seconds.
    /// #         wait: u64 = 5,
    /// #     }
    /// # }
    /// let read = |name: &str, value: &str| Params::from_pairs(&[(name.into(), value.into())]);
    /// assert_eq!(read("wait", "7"), Ok(Params { wait: 7 }));
    /// assert_eq!(read("wiat", "7"), Err("parameter `wiat` is unknown (known: wait)".into()));
    /// ```
    ///
    /// # Errors
    /// All problems at once, each with the parameter's name and value: a value that cannot be
    /// read, a name that is not declared, a missing value.
    fn from_pairs(pairs: &[(String, String)]) -> Result<Self, String> {
        let declared = Self::declared();
        let mut values = Values { pairs, problems: Vec::new() };
        let read = Self::read(&mut values);
        let names: Vec<_> = declared.iter().map(|parameter| parameter.name.as_str()).collect();
        for (name, _) in pairs {
            if !names.contains(&name.as_str()) {
                let known = if names.is_empty() { "none".into() } else { names.join(", ") };
                values.problems.push(format!("parameter `{name}` is unknown (known: {known})"));
            }
        }
        match read {
            Some(params) if values.problems.is_empty() => Ok(params),
            Some(_) | None => Err(values.problems.join("; ")),
        }
    }
}

impl Parameters for () {
    fn declared() -> Vec<Parameter> {
        Vec::new()
    }

    fn read(_: &mut Values<'_>) -> Option<Self> {
        Some(())
    }
}

/// The values of one start, and what is wrong with them.
///
/// ```
/// # use hotpit_agent::{Parameters, Price, parameters};
/// # parameters! {
/// #     /// Of the example.
/// #     struct Params {
/// #         /// The most to pay, in dollars.
/// #         limit: Price,
/// #         /// How long to wait, in seconds.
/// #         wait: u64,
/// #     }
/// # }
/// // What is wrong with them is collected, so that an operator learns all of it at once.
/// let error = Params::from_pairs(&[("limit".into(), "cheap".into())]).unwrap_err();
/// assert!(error.contains("`limit` = `cheap`") && error.contains("`wait` has no value"));
/// ```
#[derive(Debug)]
pub struct Values<'a> {
    pairs: &'a [(String, String)],
    problems: Vec<String>,
}

impl Values<'_> {
    /// Reads one value; `default` where the host gives none. A problem is noted and gives none.
    ///
    /// ```
    /// use hotpit_agent::{Parameter, Parameters, Values};
    /// struct Wait(u64);
    ///
    /// impl Parameters for Wait {
    /// # fn declared() -> Vec<Parameter> {
    /// #     vec![Parameter { name: "wait".into(), default: None, description: "Seconds.".into() }]
    /// # }
    ///     fn read(values: &mut Values<'_>) -> Option<Self> {
    ///         values.read("wait", None).map(Self)
    ///     }
    /// }
    ///
    /// assert_eq!(Wait::from_pairs(&[("wait".into(), "7".into())]).map(|wait| wait.0), Ok(7));
    /// assert!(Wait::from_pairs(&[]).is_err());
    /// ```
    pub fn read<T>(&mut self, name: &str, default: Option<T>) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some((_, text)) = self.pairs.iter().find(|(given, _)| given == name) else {
            if default.is_none() {
                self.problems.push(format!("parameter `{name}` has no value, and needs one"));
            }
            return default;
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(format!("parameter `{name}` = `{text}`: {error}"));
                None
            }
        }
    }
}

/// Declares an agent's parameters: a struct whose fields have their default after `=` and their
/// description in their doc comment. The host shows both (`hotpit check`), so that neither is
/// written twice. A field without `=` must be set by the operator. A field can be of every type
/// that reads from and prints to text: units, integers, `bool`, `String`, your own.
///
/// ```
/// use hotpit_agent::{Parameters, Price, parameters};
///
/// parameters! {
///     /// What the operator can set.
///     pub struct Params {
///         /// The market to trade, by ticker.
///         pub ticker: String,
///         /// The most to pay for a contract, in dollars.
///         pub limit: Price = Price::from_cents(40),
///     }
/// }
///
/// let pairs = [("ticker".into(), "KX-1".into()), ("limit".into(), "0.35".into())];
/// assert_eq!(Params::from_pairs(&pairs)?.limit, Price::from_cents(35));
///
/// let declared = Params::declared();
/// assert_eq!(declared[1].default.as_deref(), Some("0.4000"));
/// assert_eq!(declared[1].description, "The most to pay for a contract, in dollars.");
///
/// let error = Params::from_pairs(&[("limit".into(), "cheap".into())]).unwrap_err();
/// assert_eq!(
///     error,
///     "parameter `ticker` has no value, and needs one; \
///      parameter `limit` = `cheap`: `cheap` is not a decimal number",
/// );
/// # Ok::<(), String>(())
/// ```
///
/// Where every field has a default, the struct has one too, through [`Default`].
#[macro_export]
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field_vis:vis $field:ident : $type:ty = $default:expr
            ),* $(,)?
        }
    ) => {
        $crate::parameters! {
            @declare
            $(#[$meta])*
            $vis struct $name {
                $( $(#[doc = $doc])+ $field_vis $field : $type = $default, )*
            }
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self { $( $field: $default ),* }
            }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field_vis:vis $field:ident : $type:ty $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $crate::parameters! {
            @declare
            $(#[$meta])*
            $vis struct $name {
                $( $(#[doc = $doc])+ $field_vis $field : $type $(= $default)?, )*
            }
        }
    };
    (
        @declare
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field_vis:vis $field:ident : $type:ty $(= $default:expr)?,
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $doc])+ $field_vis $field: $type, )*
        }

        impl $crate::Parameters for $name {
            fn declared() -> ::std::vec::Vec<$crate::Parameter> {
                ::std::vec![ $(
                    $crate::Parameter {
                        name: ::core::stringify!($field).into(),
                        default: $crate::parameters!(@default $type $(= $default)?)
                            .map(|value| ::std::string::ToString::to_string(&value)),
                        description: ::core::concat!($($doc),+).trim().into(),
                    },
                )* ]
            }

            fn read(values: &mut $crate::Values<'_>) -> ::core::option::Option<Self> {
                // All are read before one fails, so that all problems are told at once.
                $(
                    let $field = values.read(
                        ::core::stringify!($field),
                        $crate::parameters!(@default $type $(= $default)?),
                    );
                )*
                ::core::option::Option::Some(Self { $( $field: $field? ),* })
            }
        }
    };
    (@default $type:ty = $default:expr) => {
        ::core::option::Option::<$type>::Some($default)
    };
    (@default $type:ty) => {
        ::core::option::Option::<$type>::None
    };
}

#[cfg(test)]
mod tests {
    use hotpit_units::{Price, Quantity};

    use super::*;

    parameters! {
        /// For the tests.
        struct Params {
            /// A distance.
            half_spread: Price = Price::from_cents(2),
            /// A size,
            /// in contracts.
            size: Quantity = Quantity::from_contracts(10),
            /// A word.
            league: String = "nfl".into(),
            /// A number.
            seconds: u32 = 5,
            /// A switch.
            on: bool = true,
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn the_declared_defaults_read_back_as_the_defaults() {
        let declared = Params::declared();
        let given: Vec<_> = declared
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.default.clone().unwrap()))
            .collect();
        assert_eq!(Params::from_pairs(&given), Ok(Params::default()));
        assert_eq!(Params::from_pairs(&[]), Ok(Params::default()));
    }

    #[test]
    fn a_description_of_two_lines_is_one_text() {
        assert_eq!(Params::declared()[1].description, "A size, in contracts.");
    }

    #[test]
    fn given_values_replace_the_defaults() {
        let read = Params::from_pairs(&pairs(&[("half_spread", "0.015"), ("on", "false")]));
        let expected = Params { half_spread: Price::from_raw(150), on: false, ..Params::default() };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn all_problems_are_told_at_once_with_name_and_value() {
        let error = Params::from_pairs(&pairs(&[
            ("half_spread", "2 cents"),
            ("seconds", "-1"),
            ("sise", "3"),
        ]))
        .unwrap_err();
        assert_eq!(
            error,
            "parameter `half_spread` = `2 cents`: `2 cents` is not a decimal number; \
             parameter `seconds` = `-1`: invalid digit found in string; \
             parameter `sise` is unknown (known: half_spread, size, league, seconds, on)"
        );
    }
}
