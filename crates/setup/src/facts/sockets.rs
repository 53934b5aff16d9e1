//! Who listens on which TCP port: `/proc/net/tcp{,6}` for the sockets, `/proc/*/fd` for their
//! processes, `/proc/*/cgroup` for the units (proc(5)).

use crate::host::Host;
use proxima_types::setup::PortListener;
use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Listeners that are named at most.
const MAX_LISTENERS: usize = 256;
/// Of the kernel's `enum` of TCP states.
const LISTEN: &str = "0A";

#[derive(Debug, PartialEq, Eq)]
struct Socket {
    address: IpAddr,
    port: u16,
    inode: u64,
}

struct Process {
    pid: u32,
    name: Option<String>,
    unit: Option<String>,
}

/// Without the rights of root the processes of others are not known.
pub(super) fn listeners(host: &Host<'_>, ports: &[u16]) -> Vec<PortListener> {
    let mut sockets: Vec<Socket> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(host.at(path)).ok())
        .flat_map(|text| parse(&text))
        .filter(|socket| ports.is_empty() || ports.contains(&socket.port))
        .collect();
    sockets.truncate(MAX_LISTENERS);
    let processes = processes(host, &sockets);
    let mut listeners: Vec<PortListener> = sockets
        .into_iter()
        .map(|socket| {
            let process = processes.get(&socket.inode);
            PortListener {
                port: socket.port,
                address: socket.address.to_string(),
                process: process.and_then(|process| process.name.clone()),
                pid: process.map(|process| process.pid),
                unit: process.and_then(|process| process.unit.clone()),
            }
        })
        .collect();
    listeners.sort();
    listeners.dedup();
    listeners
}

/// The listening sockets of a `/proc/net/tcp` or `tcp6`; what is not understood is left out.
fn parse(text: &str) -> Vec<Socket> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (&local, &state, &inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let (address, port) = local.split_once(':')?;
            if state != LISTEN {
                return None;
            }
            Some(Socket {
                address: parse_address(address)?,
                port: u16::from_str_radix(port, 16).ok()?,
                inode: inode.parse().ok()?,
            })
        })
        .collect()
}

/// Groups of 32 bits, each printed as a number of this machine's byte order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let group = |index: usize| -> Option<[u8; 4]> {
        u32::from_str_radix(hex.get(index * 8..index * 8 + 8)?, 16).ok().map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => group(0).map(|bytes| Ipv4Addr::from(bytes).into()),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&group(index)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// The owner of each socket; of several (a master and its workers) the one with the lowest pid.
fn processes(host: &Host<'_>, sockets: &[Socket]) -> HashMap<u64, Process> {
    let mut pids: Vec<u32> = fs::read_dir(host.at("/proc"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    let mut found = HashMap::new();
    for pid in pids {
        let folder = host.at("/proc").join(pid.to_string());
        for descriptor in fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
            let Some(inode) = fs::read_link(descriptor.path()).ok().and_then(|target| socket_inode(&target)) else {
                continue;
            };
            if sockets.iter().any(|socket| socket.inode == inode) && !found.contains_key(&inode) {
                let (name, unit) = (name(&folder), unit(&folder));
                found.insert(inode, Process { pid, name, unit });
            }
        }
    }
    found
}

/// `socket:[12345]`.
fn socket_inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// At most 16 bytes by the kernel; anybody may choose them.
fn name(folder: &Path) -> Option<String> {
    let name: Vec<u8> = fs::read(folder.join("comm")).ok()?;
    let name = String::from_utf8_lossy(&name).chars().filter(|character| !character.is_control()).collect::<String>();
    (!name.is_empty()).then_some(name)
}

fn unit(folder: &Path) -> Option<String> {
    parse_cgroup(&fs::read_to_string(folder.join("cgroup")).ok()?)
}

/// The innermost service of a control group (cgroups(7)): `0::/system.slice/nginx.service`.
fn parse_cgroup(text: &str) -> Option<String> {
    let path = text
        .lines()
        .find_map(|line| line.strip_prefix("0::").or_else(|| line.split_once("name=systemd:").map(|(_, path)| path)))?;
    let unit = path.rsplit('/').find(|part| part.ends_with(".service"))?;
    Some(unit.chars().filter(|character| !character.is_control()).take(128).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 28190 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 19877 1 0000000000000000 100 0 0 10 0
   2: 0F02000A:0016 0202000A:B2A6 01 00000000:00000000 02:000A7D3A 00000000     0        0 30000 4 0000000000000000 20 4 31 10 -1
";
    const TCP6: &str = "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21234 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21235 1 0000000000000000 100 0 0 10 0
garbage
";

    #[test]
    fn listening_sockets_are_read() {
        let found: Vec<_> = parse(TCP).into_iter().map(|socket| (socket.address.to_string(), socket.port)).collect();
        assert_eq!(found, [("127.0.0.1".to_owned(), 5432), ("0.0.0.0".to_owned(), 22)]);
        let found: Vec<_> =
            parse(TCP6).into_iter().map(|socket| (socket.address.to_string(), socket.port, socket.inode)).collect();
        assert_eq!(found, [("::".to_owned(), 80, 21234), ("::1".to_owned(), 8080, 21235)]);
        for bad in
            ["0: 00:16 x 0A x x x x x 1", "0: 0000000é:0016 x 0A x x x x x 1", "0: 00000000:FFFFF x 0A x x x x x 1"]
        {
            assert_eq!(parse(bad), [], "{bad}");
        }
    }

    #[test]
    fn the_unit_of_a_process_is_read() {
        assert_eq!(parse_cgroup("0::/system.slice/nginx.service\n").as_deref(), Some("nginx.service"));
        let user = "0::/user.slice/user-0.slice/user@0.service/app.slice/x.scope\n";
        assert_eq!(parse_cgroup(user).as_deref(), Some("user@0.service"));
        assert_eq!(parse_cgroup("1:name=systemd:/system.slice/a.service\n").as_deref(), Some("a.service"));
        assert_eq!(parse_cgroup("0::/init.scope\n"), None);
    }

    #[test]
    fn our_own_socket_is_found_with_its_process() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("an address").port();
        let http = || Err(String::new());
        let host =
            Host { root: "/".into(), commands: &crate::commands::System, now_ms: &|| 0, http: &http, log: &|_| {} };
        let found = listeners(&host, &[port]);
        assert_eq!((found.len(), found[0].port, found[0].pid), (1, port, Some(std::process::id())));
        assert!(found[0].process.is_some());
    }
}
