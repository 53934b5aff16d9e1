//! The lab itself: a box is what it says, survives what it should, and leaves nothing.

use proxima_test_support::{Cable, Finished, Folder, Lab, LabOptions, LabUser, Reboot, run_program};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Logs in by password with OpenSSH's client, and runs a command.
async fn ssh(lab: &Lab, user: &LabUser, options: &[&str], command: &str) -> Finished {
    let folder = Folder::new();
    let (script, secret) = (folder.join("askpass"), folder.join("password"));
    std::fs::write(&secret, &user.password).expect("written");
    std::fs::write(&script, format!("#!/bin/sh\ncat {}\n", secret.display())).expect("written");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("executable");
    let askpass = format!("SSH_ASKPASS={}", script.display());
    let login = format!("{}@{}", user.name, lab.address);
    let known = "UserKnownHostsFile=/dev/null";
    let mut arguments = vec![askpass.as_str(), "SSH_ASKPASS_REQUIRE=force", "ssh", "-F", "none", "-o", known];
    arguments.extend([
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "PubkeyAuthentication=no",
        "-o",
        "ConnectTimeout=5",
        "-o",
        "NumberOfPasswordPrompts=1",
    ]);
    arguments.extend(options);
    arguments.extend([login.as_str(), command]);
    run_program("env", &arguments, "").await
}

/// Whether any process has the box's name among its arguments, or any group, folder or cable of it is there.
async fn remains(lab_name: &str, cable_address: &str) -> Vec<String> {
    let processes = run_program("ps", &["-eo", "stat,args"], "").await.stdout;
    let mut found: Vec<String> =
        processes.lines().filter(|line| line.contains(lab_name) && !line.starts_with('Z')).map(str::to_owned).collect();
    let groups = run_program("find", &["/sys/fs/cgroup", "-maxdepth", "2", "-name", "proxima-lab-*"], "").await.stdout;
    found.extend(groups.lines().filter(|line| line.contains(lab_name)).map(str::to_owned));
    let state = Path::new("/run/proxima-lab").join(lab_name);
    found.extend(state.exists().then(|| state.display().to_string()));
    for what in ["address", "route"] {
        let shown = run_program("ip", &[what, "show"], "").await.stdout;
        let subnet = cable_address.rsplit_once('.').expect("an address").0.to_owned() + ".";
        found.extend(shown.lines().filter(|line| line.contains(&subnet)).map(str::to_owned));
    }
    found
}

#[tokio::test]
async fn vps_lab_a_box_lives_reboots_and_leaves_nothing() {
    let lab = Lab::up(LabOptions::default()).await;

    let seen = ssh(
        &lab,
        &lab.root,
        &["-v", "-o", "HostKeyAlgorithms=ssh-ed25519"],
        "id -un; cat /proc/1/comm; systemctl is-system-running",
    )
    .await;
    assert_eq!(seen.stdout, "root\nsystemd\nrunning\n", "{}", seen.stderr);
    assert!(seen.stderr.contains(&lab.host_key_ed25519), "{}", seen.stderr);
    let refused = ssh(&lab, &LabUser { password: "wrong".into(), ..lab.root.clone() }, &[], "true").await;
    assert_eq!(refused.code, Some(255), "{}", refused.stderr);

    for (user, expected) in [(&lab.sudo, "asked\n"), (&lab.nopasswd, "root\n"), (&lab.plain, "asked\n")] {
        let seen = ssh(&lab, user, &[], "sudo -n id -un 2>/dev/null || echo asked").await;
        assert_eq!(seen.stdout, expected, "{}: {}", user.name, seen.stderr);
    }
    for (user, expected) in [(&lab.sudo, "root\n"), (&lab.plain, "")] {
        let command = format!("echo {} | sudo -k -S -p '' id -un 2>/dev/null", user.password);
        assert_eq!(ssh(&lab, user, &[], &command).await.stdout, expected, "{}", user.name);
    }

    for how in [Reboot::Clean, Reboot::PowerCut] {
        let boot = lab.exec(&["cat", "/proc/sys/kernel/random/boot_id"]).await.stdout;
        lab.exec_with_input(&["sh", "-c", "cat >/root/kept"], "as it was").await;
        lab.reboot(how).await;
        let seen = ssh(&lab, &lab.root, &[], "cat /root/kept").await;
        assert_eq!(seen.stdout, "as it was", "{how:?}: {}", seen.stderr);
        assert_ne!(lab.exec(&["cat", "/proc/sys/kernel/random/boot_id"]).await.stdout, boot, "{how:?}");
    }

    let (name, address) = (lab.name.clone(), lab.address.to_string());
    assert!(!remains(&name, &address).await.is_empty(), "what is looked for is not what is there");
    drop(lab);
    assert_eq!(remains(&name, &address).await, Vec::<String>::new());
}

#[tokio::test]
async fn vps_lab_the_cable_breaks_and_heals() {
    let lab = Lab::up(LabOptions { dashboard_port: Some(8123), ..LabOptions::default() }).await;
    let listener = std::net::TcpListener::bind((lab.machine_address, 8123)).expect("bound");
    let outward = || {
        lab.exec(&[
            "timeout",
            "2",
            "perl",
            "-MIO::Socket::INET",
            "-e",
            "IO::Socket::INET->new('127.0.0.1:8123') or die",
        ])
    };
    let works = async || ssh(&lab, &lab.root, &["-o", "ConnectTimeout=1"], "true").await.code == Some(0);

    assert!(works().await);
    assert_eq!(outward().await.code, Some(0));
    listener.accept().expect("the box's");
    lab.cable(Cable::NoOutbound).await;
    assert!(works().await);
    assert_ne!(outward().await.code, Some(0));
    lab.cable(Cable::Cut).await;
    assert!(!works().await);
    for cable in [Cable::Slow(256), Cable::Whole] {
        lab.cable(cable).await;
        assert!(works().await, "{cable:?}");
    }
    assert_eq!(outward().await.code, Some(0));
}

#[tokio::test]
async fn vps_lab_variants_are_what_they_say() {
    let odd = LabOptions {
        noexec_tmp: true,
        no_sftp: true,
        small_disk: Some(64),
        arch_lie: Some("aarch64"),
        busy_ports: vec![80, 8080],
        ..LabOptions::default()
    };
    let without_systemd = LabOptions { no_systemd: true, ..LabOptions::default() };
    let (odd, bare) = tokio::join!(Lab::up(odd), Lab::up(without_systemd));
    assert_ne!(odd.address, bare.address);

    assert_eq!(ssh(&odd, &odd.root, &[], "uname -m").await.stdout, "aarch64\n");
    let ran = odd.exec(&["sh", "-c", "cp /bin/true /tmp/true && /tmp/true"]).await;
    assert_eq!(ran.code, Some(126), "{}", ran.stderr);
    let filled = odd.exec(&["dd", "if=/dev/zero", "of=/var/lib/filled", "bs=1M", "count=65"]).await;
    assert!(filled.stderr.contains("No space left on device"), "{}", filled.stderr);
    let listening = odd.exec(&["ss", "-Hltnp"]).await.stdout;
    for port in [":80 ", ":8080 "] {
        assert!(listening.lines().any(|line| line.contains(port) && line.contains("other-web-serve")), "{listening}");
    }
    assert_ne!(ssh(&odd, &odd.root, &["-s"], "sftp").await.code, Some(0));
    assert_eq!(ssh(&bare, &bare.root, &["-s"], "sftp").await.code, Some(0));

    let seen = ssh(&bare, &bare.root, &[], "command -v systemctl; ls -d /run/systemd/system").await;
    assert_eq!(seen.stdout, "");
}
