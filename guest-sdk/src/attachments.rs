//! The files a pipeline hands to a plugin: a mapping table, a key.

use crate::{Failure, contract};

/// The attachments of a transform, by the names the pipeline gives them. The host reads them; a plugin cannot open files.
#[derive(Clone, Default)]
pub struct Attachments(Vec<contract::Attachment>);

impl Attachments {
    /// The bytes of an attachment.
    ///
    /// # Errors
    /// A settings failure where the pipeline attaches nothing under this name; it lists what is attached.
    pub fn bytes(&self, name: &str) -> Result<&[u8], Failure> {
        match self.0.iter().find(|attachment| attachment.name == name) {
            Some(attachment) => Ok(&attachment.bytes),
            None if self.0.is_empty() => {
                Err(Failure::settings(format_args!("attachment `{name}` is missing; the transform has none")))
            }
            None => {
                let attached: Vec<_> = self.names().map(|name| format!("`{name}`")).collect();
                Err(Failure::settings(format_args!(
                    "attachment `{name}` is missing; the transform has {}",
                    attached.join(", ")
                )))
            }
        }
    }

    /// An attachment as text.
    ///
    /// # Errors
    /// As [`Attachments::bytes`], and where the bytes are not UTF-8.
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        std::str::from_utf8(self.bytes(name)?)
            .map_err(|error| Failure::settings(format_args!("attachment `{name}` is not UTF-8 text: {error}")))
    }

    /// The names, in the pipeline's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|attachment| attachment.name.as_str())
    }
}

/// Names and sizes only: an attachment may be a secret.
impl std::fmt::Debug for Attachments {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_map()
            .entries(self.0.iter().map(|attachment| (&attachment.name, attachment.bytes.len())))
            .finish()
    }
}

impl From<Vec<contract::Attachment>> for Attachments {
    fn from(attachments: Vec<contract::Attachment>) -> Self {
        Self(attachments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachments() -> Attachments {
        Attachments::from(vec![
            contract::Attachment { name: "ids".to_owned(), bytes: b"1,2".to_vec() },
            contract::Attachment { name: "key".to_owned(), bytes: vec![0xff, 0x00] },
        ])
    }

    #[test]
    fn bytes_and_text_by_name() {
        assert_eq!(attachments().text("ids"), Ok("1,2"));
        assert_eq!(attachments().bytes("key"), Ok(&[0xff, 0x00][..]));
        assert_eq!(
            attachments().text("key").unwrap_err().message(),
            "attachment `key` is not UTF-8 text: invalid utf-8 sequence of 1 bytes from index 0"
        );
    }

    #[test]
    fn a_missing_one_names_those_there_are() {
        assert_eq!(
            attachments().bytes("salt").unwrap_err().message(),
            "attachment `salt` is missing; the transform has `ids`, `key`"
        );
        assert_eq!(
            Attachments::default().bytes("salt").unwrap_err().message(),
            "attachment `salt` is missing; the transform has none"
        );
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", attachments()), r#"{"ids": 3, "key": 2}"#);
    }
}
