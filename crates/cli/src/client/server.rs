//! The flags that say where the server is and who asks, and `cli.toml`, which `serve` writes for the commands beside it.

use std::path::Path;

use clap::Args;

use super::{Client, DEFAULT_ENVIRONMENT};
use crate::Context;
use crate::exit::{Code, Failure};
use crate::settings::sections::data::Data;

/// The space that the first start makes.
const DEFAULT_SPACE: &str = "default";

/// The server's address and a token: what a command needs that asks about the whole instance.
#[derive(Clone, Args)]
pub struct Account {
    /// The server's address [default: that in cli.toml of the data folder]
    #[arg(
        long = "server",
        value_name = "URL",
        env = "POSTRIDER_SERVER",
        hide_env_values = true,
        help_heading = "Server"
    )]
    address: Option<String>,
    /// The API token; better given in the environment, where other users cannot read it [default: that in cli.toml]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "POSTRIDER_TOKEN",
        hide_env_values = true,
        help_heading = "Server"
    )]
    token: Option<String>,
}

/// Where the server is, who asks, and about which space.
#[derive(Debug, Clone, Args)]
pub struct Server {
    #[command(flatten)]
    account: Account,
    /// The space
    #[arg(
        long,
        value_name = "ID",
        default_value = DEFAULT_SPACE,
        env = "POSTRIDER_SPACE",
        hide_env_values = true,
        help_heading = "Server"
    )]
    space: String,
}

/// The same, where one environment of the space may be meant.
#[derive(Debug, Clone, Args)]
pub struct Place {
    #[command(flatten)]
    server: Server,
    /// The environment [default: any]
    #[arg(
        long,
        value_name = "ID",
        env = "POSTRIDER_ENVIRONMENT",
        hide_env_values = true,
        help_heading = "Server"
    )]
    environment: Option<String>,
}

/// The same, where events go in.
#[derive(Debug, Clone, Args)]
pub struct Door {
    #[command(flatten)]
    server: Server,
    /// The environment
    #[arg(
        long,
        value_name = "ID",
        default_value = DEFAULT_ENVIRONMENT,
        env = "POSTRIDER_ENVIRONMENT",
        hide_env_values = true,
        help_heading = "Server"
    )]
    environment: String,
    /// Where events go in, when ingest has an address of its own (distributed) [default: the server]
    #[arg(
        long,
        value_name = "URL",
        env = "POSTRIDER_INGEST",
        hide_env_values = true,
        help_heading = "Server"
    )]
    ingest: Option<String>,
}

impl Account {
    /// The client that these flags, or the `cli.toml` of the data folder, describe.
    ///
    /// # Errors
    /// When nobody says where the server is or who asks.
    pub fn client(&self, context: &Context) -> anyhow::Result<Client> {
        let token = self.token.clone();
        let token = token.map_or_else(|| from_file(context, "token"), |token| Ok(Some(token)))?;
        // Where the server is comes first: without it the token does not help.
        let base = self.base(context)?;
        let token = token.ok_or_else(|| missing(context, "who asks", "--token", "POSTRIDER_TOKEN"))?;
        Client::new(&base, Some(&token), DEFAULT_SPACE.to_owned(), None)
    }

    /// The same, sending no token.
    ///
    /// # Errors
    /// When nobody says where the server is.
    pub fn stranger(&self, context: &Context) -> anyhow::Result<Client> {
        Client::new(&self.base(context)?, None, DEFAULT_SPACE.to_owned(), None)
    }

    fn base(&self, context: &Context) -> anyhow::Result<String> {
        let base =
            self.address.clone().map_or_else(|| from_file(context, "server"), |base| Ok(Some(base)))?;
        Ok(base.ok_or_else(|| missing(context, "which server to ask", "--server", "POSTRIDER_SERVER"))?)
    }
}

/// A value of the `cli.toml` of the data folder.
fn from_file(context: &Context, name: &str) -> anyhow::Result<Option<String>> {
    let file = read_cli_file(&context.settings.data.cli_file())?;
    Ok(file.get(name).and_then(toml::Value::as_str).map(str::to_owned))
}

fn missing(context: &Context, what: &str, flag: &str, variable: &str) -> Failure {
    let file = context.settings.data.cli_file();
    let cause = format!("it is not known {what}: no {flag}, no {variable}, and no {}", file.display());
    Failure::new(Code::Invalid, cause).next(format!(
        "give {flag} or set {variable}; beside a running `postrider serve`, run this command in the same folder or give its \
         --data-dir"
    ))
}

impl Server {
    /// The client that these flags describe.
    ///
    /// # Errors
    /// When nobody says where the server is or who asks.
    pub fn client(&self, context: &Context) -> anyhow::Result<Client> {
        Ok(Client { space: self.space.clone(), ..self.account.client(context)? })
    }

    /// The same, sending no token.
    ///
    /// # Errors
    /// When nobody says where the server is.
    pub fn stranger(&self, context: &Context) -> anyhow::Result<Client> {
        Ok(Client { space: self.space.clone(), ..self.account.stranger(context)? })
    }
}

impl Place {
    /// The client that these flags describe.
    ///
    /// # Errors
    /// When nobody says where the server is or who asks.
    pub fn client(&self, context: &Context) -> anyhow::Result<Client> {
        Ok(Client { environment: self.environment.clone(), ..self.server.client(context)? })
    }
}

impl Door {
    /// The client that these flags describe.
    ///
    /// # Errors
    /// When nobody says where the server is or who asks.
    pub fn client(&self, context: &Context) -> anyhow::Result<Client> {
        self.through(self.server.client(context)?)
    }

    /// The same, sending no token.
    ///
    /// # Errors
    /// When nobody says where the server is.
    pub fn stranger(&self, context: &Context) -> anyhow::Result<Client> {
        self.through(self.server.stranger(context)?)
    }

    fn through(&self, client: Client) -> anyhow::Result<Client> {
        let client = Client { environment: Some(self.environment.clone()), ..client };
        match &self.ingest {
            Some(ingest) => client.entering_at(ingest),
            None => Ok(client),
        }
    }
}

/// What `serve` left for the client commands; empty when there is none.
fn read_cli_file(path: &Path) -> anyhow::Result<toml::Table> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(toml::Table::new()),
        Err(error) => {
            let cause = format!("{} cannot be read: {error}", path.display());
            return Err(Failure::new(Code::Invalid, cause).next("give --server and --token instead").into());
        }
    };
    toml::from_str(&text).map_err(|error| {
        let cause = format!("{} is not TOML: {error}", path.display());
        Failure::new(Code::Invalid, cause).next("delete it, and start `postrider serve --new-token`").into()
    })
}

/// Writes what the client commands beside a server need; only its owner may read it. `true` when a token is in it: the
/// given one, or the one of an earlier start.
///
/// # Errors
/// When the file cannot be written.
pub fn write_cli_file(data: &Data, server: &str, token: Option<&str>) -> std::io::Result<bool> {
    let path = data.cli_file();
    let mut table = read_cli_file(&path).unwrap_or_default();
    table.insert("server".to_owned(), server.into());
    if let Some(token) = token {
        table.insert("token".to_owned(), token.into());
    }
    let head = "# Written by `postrider serve`: where client commands that run in this folder find it. Keep it secret.\n";
    let new = path.with_extension("toml.new");
    crate::compose::files::write_private(&new, format!("{head}{table}").as_bytes())?;
    std::fs::rename(&new, &path)?;
    Ok(table.contains_key("token"))
}

/// The token is a secret.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({:?})", self.address)
    }
}
