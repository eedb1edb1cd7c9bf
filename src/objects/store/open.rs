//! From settings to stores, with everything that two stores of one place share.

use std::sync::Arc;

use super::directory::Directory;
use super::s3::S3;
use super::{Place, Store};
use crate::aws::{self, Connection, Profile};
use crate::objects::room::Room;
use crate::outside::disk;
use crate::outside::http_client::{self, HttpClient};
use crate::outside::{Clock, Dice};

/// The doors that stores go through. A test gives a world of its own.
pub struct Doors {
    /// A disk rooted at a path.
    pub disk: Box<disk::Open>,
    pub http: Box<http_client::Open>,
    pub clock: Clock,
    pub dice: Dice,
    pub room: Room,
}

/// Opens stores, and lets those of one profile share its connections and credentials.
pub struct Stores {
    doors: Doors,
    clients: Vec<(http_client::Settings, Arc<dyn HttpClient>)>,
    connections: Vec<(Profile, Connection)>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to set up connections for the AWS profile `{profile}`")]
    Http {
        profile: String,
        #[source]
        cause: http_client::OpenError,
    },
}

impl Stores {
    pub fn new(doors: Doors) -> Stores {
        Stores {
            doors,
            clients: Vec::new(),
            connections: Vec::new(),
        }
    }

    /// What is opened from now on is another stream's, with a share of the room for itself.
    pub fn next_stream(&mut self) {
        self.doors.room = self.doors.room.another_share();
    }

    /// The share of the stream at hand.
    pub fn room(&self) -> Room {
        self.doors.room.clone()
    }

    pub async fn open(&mut self, place: &Place) -> Result<Arc<dyn Store>, OpenError> {
        match place {
            Place::Directory(settings) => {
                let disk = (self.doors.disk)(&settings.path);
                let room = self.doors.room.clone();
                Ok(Arc::new(Directory::new(settings.clone(), disk, room)))
            }
            Place::S3(settings) => {
                let connection = self.connection(&settings.profile).await?;
                let room = self.doors.room.clone();
                let dice = self.doors.dice.fork();
                Ok(Arc::new(S3::new(settings.clone(), &connection, room, dice)))
            }
        }
    }

    async fn connection(&mut self, profile: &Profile) -> Result<Connection, OpenError> {
        let known = self.connections.iter().find(|(known, _)| known == profile);
        if let Some((_, connection)) = known {
            return Ok(connection.clone());
        }
        let http = self
            .client(&profile.http)
            .map_err(|cause| OpenError::Http {
                profile: profile.name.clone(),
                cause,
            })?;
        let connection = aws::connect(profile, http, self.doors.clock.clone()).await;
        self.connections.push((profile.clone(), connection.clone()));
        Ok(connection)
    }

    /// One client for all that have the same settings.
    pub fn client(
        &mut self,
        settings: &http_client::Settings,
    ) -> Result<Arc<dyn HttpClient>, http_client::OpenError> {
        let known = self.clients.iter().find(|(known, _)| known == settings);
        if let Some((_, client)) = known {
            return Ok(Arc::clone(client));
        }
        let client = (self.doors.http)(settings)?;
        self.clients.push((settings.clone(), Arc::clone(&client)));
        Ok(client)
    }
}
