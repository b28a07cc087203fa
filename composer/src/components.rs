//! The components to compose: those of this workspace, any of which a user may replace by one of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Components by name.
#[derive(Clone, Debug)]
pub struct Components {
    by_name: BTreeMap<String, Cow<'static, [u8]>>,
}

/// A component that does not exist was asked for or replaced.
#[derive(Debug, thiserror::Error)]
#[error("there is no component `{name}`: choose one of {known}")]
pub struct NoSuchComponent {
    /// The name.
    pub name: String,
    /// All names that exist.
    pub known: String,
}

impl Components {
    /// The components of this workspace.
    pub fn built() -> Components {
        let built = eqmesh_artifacts::ALL.iter();
        Components {
            by_name: built
                .map(|&(name, bytes)| (name.to_owned(), Cow::Borrowed(bytes)))
                .collect(),
        }
    }

    /// The components of this workspace, those included that make agents a service.
    #[cfg(feature = "services")]
    pub fn with_services() -> Components {
        let mut components = Components::built();
        let services = eqmesh_service_artifacts::ALL.iter();
        components
            .by_name
            .extend(services.map(|&(name, bytes)| (name.to_owned(), Cow::Borrowed(bytes))));
        components
    }

    /// Puts another component in the place of one. Whether it fits shows when it is composed.
    pub fn replace(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), NoSuchComponent> {
        let Some(place) = self.by_name.get_mut(name) else {
            return Err(self.absent(name));
        };
        *place = Cow::Owned(bytes);
        Ok(())
    }

    /// The bytes of a component.
    pub fn get(&self, name: &str) -> Result<&[u8], NoSuchComponent> {
        self.by_name
            .get(name)
            .map(AsRef::as_ref)
            .ok_or_else(|| self.absent(name))
    }

    /// Names and bytes, ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.by_name.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref()))
    }

    /// The name that a component has in a `.wac` file, after the namespace `eqmesh:`. Its own name, but that WAC allows no word
    /// that starts with a digit.
    pub fn wac_name(name: &str) -> &str {
        if name == "transduction-2tdx" {
            "transduction"
        } else {
            name
        }
    }

    fn absent(&self, name: &str) -> NoSuchComponent {
        let known: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        NoSuchComponent {
            name: name.to_owned(),
            known: known.join(", "),
        }
    }
}
