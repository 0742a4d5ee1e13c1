//! Whether the operator is being removed.

/// What is known of the operator's own Deployment and namespace.
///
/// With them the manager goes, and nobody would be left to let go of what pods use: their deletion would hang for ever.
#[derive(Debug, Default)]
pub(crate) struct Home {
    deployment: Deployment,
    namespace_is_deleted: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Deployment {
    /// It was not seen; the manager may run without one.
    #[default]
    Unknown,
    There,
    /// It is being deleted, or gone.
    Going,
}

impl Home {
    /// Whether nothing is to be held any more.
    pub(crate) fn is_going(&self) -> bool {
        self.namespace_is_deleted || self.deployment == Deployment::Going
    }

    /// The Deployment is there.
    pub(crate) fn deployment(&mut self, is_being_deleted: bool) {
        self.deployment = if is_being_deleted { Deployment::Going } else { Deployment::There };
    }

    /// The Deployment is not there.
    pub(crate) fn no_deployment(&mut self) {
        if self.deployment == Deployment::There {
            self.deployment = Deployment::Going;
        }
    }

    /// The namespace is there.
    pub(crate) fn namespace(&mut self, is_being_deleted: bool) {
        self.namespace_is_deleted = is_being_deleted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_without_a_deployment_is_at_home() {
        let mut home = Home::default();
        home.no_deployment();
        assert!(!home.is_going());
    }

    #[test]
    fn a_deployment_that_is_deleted_or_gone_takes_the_manager_with_it() {
        let mut home = Home::default();
        home.deployment(false);
        assert!(!home.is_going());
        home.deployment(true);
        assert!(home.is_going());
        home.no_deployment();
        assert!(home.is_going());
        home.deployment(false);
        assert!(!home.is_going(), "it was made anew");
        home.no_deployment();
        assert!(home.is_going());
    }

    #[test]
    fn so_does_the_namespace() {
        let mut home = Home::default();
        home.namespace(true);
        assert!(home.is_going());
    }
}
