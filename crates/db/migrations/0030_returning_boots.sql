-- A superseded process of a gateway that speaks on, until it is believed to be the living one (heartbeats.rs). Of each install
-- the last such process; a row of its own, so that `gateway_installs` holds nothing but what a believed heartbeat reported.
CREATE TABLE gateway_returns (
    server_id  uuid NOT NULL,
    install_id uuid NOT NULL,
    boot_id    uuid NOT NULL,
    sequence   bigint NOT NULL,
    -- When it was first heard since the process that superseded it was heard last.
    since      timestamptz NOT NULL,
    PRIMARY KEY (server_id, install_id),
    FOREIGN KEY (server_id, install_id) REFERENCES gateway_installs ON DELETE CASCADE
);
