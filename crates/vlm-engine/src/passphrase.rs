//! The passphrase that opens windows which are locked. It guards what is shown, and what a passer-by could do; files are guarded
//! by the system.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use crate::{
    Engine, Resource,
    store::{self, PassphraseRow},
};

/// Why the lock could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The passphrase that is set was not said.
    #[error("this is not the passphrase that is set")]
    Wrong,
    /// Nothing.
    #[error("a passphrase has one character at least")]
    Empty,
    /// It could not be hashed.
    #[error("the passphrase could not be kept: {0}")]
    Hash(String),
}

/// What can be asked of the passphrase. What checks one takes a tenth of a second and 19 MiB, as it is to cost others as much.
pub struct Passphrase<'a> {
    pub(crate) engine: &'a Engine,
}

impl Passphrase<'_> {
    /// Whether one is set, and after how many idle minutes windows lock by themselves.
    pub fn idle_minutes(&self) -> Result<Option<Option<u32>>, Error> {
        Ok(self.engine.store().passphrase()?.map(|row| row.idle_minutes))
    }

    /// Whether this is the one. Without one, anything is.
    pub fn fits(&self, passphrase: &str) -> Result<bool, Error> {
        let Some(row) = self.engine.store().passphrase()? else { return Ok(true) };
        let hash = PasswordHash::new(&row.hash).map_err(|error| Error::Hash(error.to_string()))?;
        Ok(Argon2::default().verify_password(passphrase.as_bytes(), &hash).is_ok())
    }

    /// Sets another one, or takes it away. `current` is the one that is set, if one is.
    pub fn set(&self, current: Option<&str>, passphrase: Option<&str>, idle_minutes: Option<u32>) -> Result<(), Error> {
        if !self.fits(current.unwrap_or_default())? {
            return Err(Error::Wrong);
        }
        let row = match passphrase {
            None => None,
            Some("") => return Err(Error::Empty),
            Some(passphrase) => {
                let hash = Argon2::default().hash_password(passphrase.as_bytes());
                let hash = hash.map_err(|error| Error::Hash(error.to_string()))?.to_string();
                Some(PassphraseRow { hash, idle_minutes: idle_minutes.filter(|minutes| *minutes > 0) })
            }
        };
        self.engine.store().set_passphrase(row.as_ref())?;
        self.engine.stale(Resource::Settings);
        Ok(())
    }
}
