//! Who manages, and what of the tree he is shown. Every operation on accounts is one of [`Management`], which resolves
//! whatever account is named: so none can forget whom it works for. What is not on it is the operator's alone.

use std::borrow::Cow;
use std::sync::Arc;

use tollgate_governance::{ABOVE, Account, AccountId, Role, TokenId, TokenKind};

use super::audit::{Act, Actor};
use super::error::ControlError;
use super::{Control, State, now_ms};

/// The bearer of a management token.
#[derive(Debug, Clone)]
pub struct Manager {
    bound: Option<Bound>,
}

/// What a token of an account lets its bearer do.
#[derive(Debug, Clone)]
struct Bound {
    token: TokenId,
    /// The account that he sees, with all below it.
    top: AccountId,
    role: Role,
}

/// The operator, to whom everything is shown.
static OPERATOR: Manager = Manager { bound: None };

impl Manager {
    /// Whether it is the operator, whose token is bound to no account.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.bound.is_none()
    }

    /// Whether he may change anything.
    #[must_use]
    pub fn may_change(&self) -> bool {
        self.bound
            .as_ref()
            .is_none_or(|bound| bound.role == Role::Manage)
    }
}

/// The operations of somebody who manages accounts.
#[derive(Clone, Copy)]
pub struct Management<'a> {
    pub(super) control: &'a Control,
    by: &'a Manager,
}

impl Control {
    /// Whose token this is; none if nobody's. A token that was revoked, has expired, or whose account or one above it is
    /// not active is nobody's.
    #[must_use]
    pub fn manager(&self, token: &str) -> Option<Manager> {
        if self.is_management_token(token) {
            return Some(OPERATOR.clone());
        }
        TokenKind::Management.check(token).ok()?;
        let mac = self.hasher.mac(token);
        let state = self.state.lock();
        let token = state.directory.bearer(&mac, now_ms())?;
        Some(Manager {
            bound: Some(Bound {
                token: token.id,
                top: token.account,
                role: token.role,
            }),
        })
    }

    /// What somebody may do with accounts.
    #[must_use]
    pub fn management<'a>(&'a self, by: &'a Manager) -> Management<'a> {
        Management { control: self, by }
    }

    /// The same of the operator.
    #[must_use]
    pub fn operator(&self) -> Management<'_> {
        self.management(&OPERATOR)
    }
}

impl Management<'_> {
    /// The account that the tree is seen from; none: from its root.
    pub(super) fn top(&self) -> Option<AccountId> {
        self.by.bound.as_ref().map(|bound| bound.top)
    }

    /// An act of his.
    pub(super) fn act(&self, act: &'static str) -> Act {
        match &self.by.bound {
            None => Act::new(act),
            Some(bound) => Act::new(act).by(Actor::Token(bound.token)),
        }
    }

    /// The account of this id or path, of those that he sees.
    pub(super) fn find<'s>(
        &self,
        state: &'s State,
        target: &str,
    ) -> Result<&'s Arc<Account>, ControlError> {
        Ok(match self.top() {
            None => state.directory.account(target)?,
            Some(top) => state.directory.account_from(top, target)?,
        })
    }

    /// The same, of those that he may change.
    pub(super) fn find_below<'s>(
        &self,
        state: &'s State,
        target: &str,
    ) -> Result<&'s Arc<Account>, ControlError> {
        Ok(match self.top() {
            None => state.directory.account(target)?,
            Some(top) => state.directory.account_below(top, target)?,
        })
    }

    /// What the directory is to be told instead of `target`, an account that he sees: it knows no tokens.
    pub(super) fn seen<'t>(
        &self,
        state: &State,
        target: &'t str,
    ) -> Result<Cow<'t, str>, ControlError> {
        match self.top() {
            None => Ok(Cow::Borrowed(target)),
            Some(_) => Ok(Cow::Owned(self.find(state, target)?.id.to_string())),
        }
    }

    /// The same of an account that he may change.
    pub(super) fn seen_below<'t>(
        &self,
        state: &State,
        target: &'t str,
    ) -> Result<Cow<'t, str>, ControlError> {
        match self.top() {
            None => Ok(Cow::Borrowed(target)),
            Some(_) => Ok(Cow::Owned(self.find_below(state, target)?.id.to_string())),
        }
    }

    /// Whether he sees an account that is there.
    pub(super) fn sees(&self, state: &State, id: AccountId) -> bool {
        self.top()
            .is_none_or(|top| state.directory.is_within(id, top))
    }

    /// The path of an account as he sees it; empty of one that is not there, or not for him.
    pub(super) fn named(&self, state: &State, id: AccountId) -> String {
        let names = match self.top() {
            None => state.directory.names(id),
            Some(top) => state.directory.names_from(top, id),
        };
        names.unwrap_or_default()
    }

    /// The record of an account as he sees it: what is above the topmost is not named.
    pub(super) fn record(&self, account: &Account) -> Account {
        let mut account = account.clone();
        if self.top() == Some(account.id) {
            account.parent = None;
        }
        account
    }

    /// Accounts of a path, root first, each with its own path as he sees it. Those above are all called the same.
    pub(super) fn along<'p>(&self, path: &'p tollgate_governance::Path) -> Along<'p> {
        let nodes = path.nodes().iter();
        let above = match self.top() {
            None => 0,
            Some(top) => nodes.clone().take_while(|node| node.id() != top).count(),
        };
        let mut name = String::new();
        let accounts = nodes.enumerate().map(|(place, node)| {
            if place < above {
                return (ABOVE.to_owned(), &*node.account);
            }
            if !name.is_empty() {
                name.push('/');
            }
            name.push_str(&node.account.name);
            (name.clone(), &*node.account)
        });
        Along {
            accounts: accounts.collect(),
            above,
        }
    }
}

/// A path as somebody sees it.
pub(super) struct Along<'a> {
    /// Root first, each with its path.
    pub(super) accounts: Vec<(String, &'a Account)>,
    /// How many of them he does not see.
    pub(super) above: usize,
}

/// An error that is about a member of the request: what it names is not there.
pub(super) fn blamed(field: &'static str, error: ControlError) -> ControlError {
    match error.kind {
        super::Kind::NotFound => ControlError::invalid(field, error.message),
        _ => error,
    }
}
