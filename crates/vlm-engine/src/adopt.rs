//! Taking what lies on a host into a lab again: what bears the lab's marks there, and Terraform's state does not know.
//!
//! That is what stays of a state that was lost with all its copies, or of a database that was put back from before the deploy.
//! Only our records change. The next plan says what differs from the design.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use tokio_util::sync::CancellationToken;
use vlm_lab::model::NetworkMode;

use crate::{
    Resource,
    deploy::{Error, Runs},
    doctor::Known,
    libvirt::Thing,
    site::{self, Place, Purpose, Site},
    store::LabState,
    terraform::{Found, Terraform},
};

/// What can be adopted, and the right to do it: it holds the lab's lock.
pub struct Adoption {
    /// The lab.
    pub lab: String,
    /// What would be adopted on each host.
    pub things: Vec<(String, Thing)>,
    /// What bears the lab's marks and is not in its design, so that it stays as it is.
    pub stays: Vec<(String, Thing)>,
    /// Whether Terraform knows what is there, and only our database does not.
    pub is_known: bool,
    /// For each place, what Terraform is to know.
    found: Vec<Found>,
    site: Site,
}

impl Runs<'_> {
    /// Finds what could be adopted into a lab, on the hosts that its machines are placed on. Changes nothing on a host.
    pub async fn plan_adoption(&self, lab: &str, hosts: &[String], cancel: &CancellationToken) -> Result<Adoption, Error> {
        let dir = self.engine.dirs().lab(lab).join("keys");
        let files = fs::read_dir(&dir).into_iter().flatten().flatten();
        // Opening the lab makes the keys that are missing: these are of no use with guests that have others.
        let keys: BTreeSet<String> = files.filter_map(|file| file.file_name().into_string().ok()).collect();
        let site = Site::open(self.engine, lab, hosts, Purpose::Adopt).await?;
        site.write()?;
        let (mut things, mut stays, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for place in &site.places {
            let host = &place.host.name;
            let (mut unknown, unlike) = place.unknown_of_lab(&site).await?;
            let mut found = Found::default();
            if !unknown.is_empty() {
                Terraform::put_damaged_aside(&place.terraform.dir)?;
                place.terraform.init(cancel).await?;
                place.terraform.plan(false, &place.uri, cancel, |_| {}).await?;
                for known in place.terraform.planned(cancel).await?.makes {
                    if let Some((thing, id)) = site::thing(&known).and_then(|thing| unknown.remove_entry(&thing)) {
                        if unlike.contains(&thing) {
                            found.unlike.insert(known.address.clone());
                        }
                        found.ids.insert(known.address, id);
                        things.push((host.clone(), thing));
                    }
                }
            }
            stays.extend(unknown.into_keys().map(|thing| (host.clone(), thing)));
            all.push(found);
        }
        let is_locked = |thing: &Thing| match thing {
            Thing::Domain { name } => {
                let machine = name.split_once('.').map_or("", |(_, machine)| machine);
                !(keys.contains("id_ed25519") && keys.contains(&format!("host-{machine}")))
            }
            _ => false,
        };
        if let Some((host, thing)) = things.iter().find(|(_, thing)| is_locked(thing)) {
            return Err(Error::Refused {
                message: format!(
                    "the keys of {thing} on host `{host}` are not in {}: it could not be logged into",
                    dir.display()
                ),
                remedy: format!(
                    "put a copy of that folder in its place, if you have one; or remove what is there: `vlm doctor {host} --remove-orphan {}`",
                    thing.name()
                ),
            });
        }
        let mut is_known = false;
        for place in site.places.iter().filter(|place| !place.lost) {
            is_known |= site.row.state == LabState::Designed && place.terraform.has_state()?;
        }
        Ok(Adoption { is_known, lab: lab.to_owned(), things, stays, found: all, site })
    }

    /// Writes what was found into the lab's states of Terraform.
    pub async fn adopt(&self, adoption: Adoption, cancel: &CancellationToken) -> Result<(), Error> {
        let names: Vec<&str> = adoption.things.iter().map(|(_, thing)| thing.name()).collect();
        self.engine.store().audit("adopt", &adoption.lab, &names.join(", "))?;
        for (place, found) in adoption.site.places.iter().zip(&adoption.found).filter(|(_, found)| !found.ids.is_empty()) {
            place.terraform.adopt(found, &place.uri, cancel).await?;
        }
        // A deploy waits for its machines, and configures them.
        self.engine.store().set_lab_state(&adoption.lab, LabState::Incomplete)?;
        self.engine.stale(Resource::Labs);
        Ok(())
    }
}

impl Place {
    /// What on the host bears the lab's marks and is unknown to Terraform, with the provider's name of each; and those networks and
    /// domains among it that are not wired as the design says, which Terraform itself would not see.
    async fn unknown_of_lab(&self, site: &Site) -> Result<(BTreeMap<Thing, String>, BTreeSet<Thing>), Error> {
        let lab = &*site.lab.name;
        let pool = self.engine.settings().pool();
        let (networks, uses) = (self.connection.networks().await?, self.connection.uses().await?);
        let volumes = match self.connection.pool(pool).await? {
            Some(_) => self.connection.volume_files(pool).await?,
            None => Vec::new(),
        };
        // As if nothing of it should be there: all that is there is told then.
        let digests = volumes.iter().filter_map(|volume| volume.name.strip_suffix(".qcow2").map(str::to_owned)).collect();
        let marked = Known { labs: [(lab, false)].into(), digests, pool }.orphans(&networks, &volumes, &uses);
        let known: BTreeSet<Thing> = match self.lost {
            true => BTreeSet::new(),
            false => self.terraform.resources()?.iter().filter_map(site::thing).collect(),
        };
        let prefix = format!("{lab}.");
        let marked = marked.into_iter().map(|orphan| orphan.thing);
        let marked = marked.filter(|thing| thing.name().starts_with(&prefix) && !known.contains(thing));
        let uuids = self.connection.uuids().await?;
        let id = |thing: &Thing| match thing {
            Thing::Volume { name, .. } => volumes.iter().find(|volume| volume.name == *name).map(|volume| volume.path.clone()),
            thing => uuids.get(thing).cloned(),
        };
        let unknown = marked.filter_map(|thing| id(&thing).map(|id| (thing, id))).collect();

        let to = |key: &str| match site.lab.networks.get(key) {
            Some(network) if network.mode == NetworkMode::Bridge => network.bridge.clone().unwrap_or_default(),
            _ => self.domain(key),
        };
        let mut unlike = BTreeSet::new();
        for machine in &site.machines {
            let designed: Vec<(String, String)> =
                machine.nics.iter().map(|nic| (to(&nic.network), nic.mac.to_string().to_lowercase())).collect();
            let name = self.domain(&machine.name);
            if uses.iter().any(|uses| uses.domain == name && uses.nics != designed) {
                unlike.insert(Thing::Domain { name });
            }
        }
        for (key, network) in &site.lab.networks {
            let name = self.domain(key);
            if networks.iter().any(|there| there.name == name && there.has_dhcp != network.has_dhcp()) {
                unlike.insert(Thing::Network { name });
            }
        }
        Ok((unknown, unlike))
    }
}
