//! Who asks. `api` finds out once per request; contexts are handed the answer and never look at headers.

use std::collections::BTreeSet;

use super::problem::{Answer, Code, Problem};

/// What an API key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Venues, events, entrances, lanes, classes, policy.
    Catalog,
    /// Issue, read, revoke and re-issue tickets.
    Tickets,
}

impl Scope {
    pub const ALL: [Self; 2] = [Self::Catalog, Self::Tickets];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Tickets => "tickets",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// What a member of staff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaffRole {
    /// Enrols devices, watches and steers the lanes.
    Supervisor,
}

impl StaffRole {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text == "supervisor").then_some(Self::Supervisor)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody in particular: a holder with a link, whose secret is in the body, or a passer-by.
    Anonymous,
    /// A back end with an API key.
    ApiKey { id: i64, name: String, scopes: BTreeSet<Scope> },
    /// A signed-in member of staff.
    Staff { id: i64, name: String, role: StaffRole },
    /// An enrolled handheld, its request signed by its key.
    Device { id: u64 },
}

impl Actor {
    /// A name for journals and for binding idempotency keys; no secret, stable for as long as the account lives.
    #[must_use]
    pub fn reference(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".into(),
            Self::ApiKey { id, .. } => format!("api-key:{id}"),
            Self::Staff { id, .. } => format!("staff:{id}"),
            Self::Device { id } => format!("device:{id:016x}"),
        }
    }

    /// What people call this one; empty where nobody calls it anything.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::ApiKey { name, .. } | Self::Staff { name, .. } => name,
            Self::Anonymous | Self::Device { .. } => "",
        }
    }

    /// Asks for an API key with that scope.
    ///
    /// # Errors
    /// `unauthenticated` for nobody, `forbidden` for somebody else.
    pub fn require_scope(&self, scope: Scope) -> Answer<()> {
        match self {
            Self::ApiKey { scopes, .. } if scopes.contains(&scope) => Ok(()),
            Self::Anonymous => Err(Problem::new(
                Code::Unauthenticated,
                "Send the API key as `Authorization: Bearer tsk_...`; the operator makes one with `sync-server account api-key`.",
            )),
            Self::ApiKey { .. } => Err(Problem::new(
                Code::Forbidden,
                format!("This API key lacks the scope `{}`; use one that has it.", scope.as_str()),
            )),
            _ => Err(Problem::new(Code::Forbidden, "This needs an API key.")),
        }
    }

    /// Asks for a signed-in supervisor; the id of the account.
    ///
    /// # Errors
    /// `unauthenticated` for nobody, `forbidden` for somebody else.
    pub fn require_supervisor(&self) -> Answer<i64> {
        match self {
            Self::Staff { id, role: StaffRole::Supervisor, .. } => Ok(*id),
            Self::Anonymous => Err(Problem::new(Code::Unauthenticated, "Sign in at /office first.")),
            _ => Err(Problem::new(Code::Forbidden, "This needs a signed-in supervisor.")),
        }
    }

    /// Asks for a supervisor or a back end with that scope: things that both may read.
    ///
    /// # Errors
    /// `unauthenticated` for nobody, `forbidden` for somebody else.
    pub fn require_supervisor_or(&self, scope: Scope) -> Answer<()> {
        match self {
            Self::Staff { role: StaffRole::Supervisor, .. } => Ok(()),
            _ => self.require_scope(scope),
        }
    }
}
