/*
 * The table of commands: what parser, help and completion read.
 */
#include "commands.h"

#include "options.h"

#define MANY 10000u

static const struct serin_cli_group groups[] = {
    {"pki", "certificates of a private CA, and the first keys"},
    {"key", "keys of root, release desk and director"},
    {"trust", "which keys devices trust"},
    {"release", "what is published"},
    {"delta", "patches from one image to another"},
    {"policy", "how a release goes through the fleet, and what stops it"},
    {"rollout", "a release on its way through the fleet"},
    {"device", "the fleet, device by device"},
    {"gateway", "the sites, gateway by gateway"},
    {"audit", "what serind was told, decided and refused"},
};

static const struct serin_cli_command commands[] = {
    {.name = "pki init",
     .operands = "DIR",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_pki_init,
     .summary = "make a CA, certificates, the three keys and the first trust record",
     .details = "DIR must not exist, or be empty; keys are never overwritten. It gets ca.pem, "
                "broker.pem,\n"
                "serind.pem, devices/ID.pem and gateways/ID.pem with a .key each, "
                "keys/{root,release,director}.key\n"
                "and .pub, and trust.bin. Private keys have mode 0600. No device or gateway is "
                "named serind\n"
                "or broker, and no two share a name.",
     .examples =
         "serin pki init pki --product lamp --devices sensor-01,sensor-02 --gateways gw-1\n"
         "serin pki init pki --product lamp --device-count 100 --broker-name mqtt.example.com",
     .run = serin_cli_run_pki_init},
    {.name = "pki device",
     .operands = "DIR ID…",
     .operand_min = 2,
     .operand_max = MANY,
     .options = serin_cli_options_pki_device,
     .summary = "make certificates for more devices",
     .details =
         "Writes DIR/devices/ID.pem and .key, signed by DIR/ca.key. No device is named serind or "
         "broker.",
     .examples = "serin pki device pki sensor-11 sensor-12",
     .run = serin_cli_run_pki_device},
    {.name = "pki gateway",
     .operands = "DIR ID…",
     .operand_min = 2,
     .operand_max = MANY,
     .options = serin_cli_options_pki_device,
     .summary = "make certificates for more gateways",
     .details = "Writes DIR/gateways/ID.pem and .key, signed by DIR/ca.key, with the OU 'gateway'. "
                "It is good\n"
                "for the uplink, and for the site's broker where that trusts the same CA.",
     .examples = "serin pki gateway pki gw-3",
     .run = serin_cli_run_pki_gateway},
    {.name = "key new",
     .operands = "FILE",
     .operand_min = 1,
     .operand_max = 1,
     .summary = "make a key pair",
     .details =
         "ECDSA P-256. The private half goes to FILE with mode 0600 and is never overwritten; the\n"
         "public half goes beside it (release.key has release.pub).",
     .examples = "serin key new keys/release-2.key",
     .run = serin_cli_run_key_new},
    {.name = "key public",
     .operands = "FILE",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_key_public,
     .summary = "print the public half of a private key",
     .details = "",
     .examples = "serin key public keys/release-2.key\n"
                 "serin key public keys/release-2.key -o release-2.pub",
     .run = serin_cli_run_key_public},
    {.name = "trust make",
     .operands = "",
     .options = serin_cli_options_trust_make,
     .summary = "sign a list of release and director keys with the root key",
     .details = "Devices take a record whose version is higher than their own and that root has "
                "signed; this\n"
                "is how keys are rotated. One key has one role. At most 8 keys.",
     .examples = "serin trust make --root keys/root.key --product lamp --version 2 \\\n"
                 "  --release keys/release.pub keys/release-2.pub --director keys/director.pub -o "
                 "trust-2.bin",
     .run = serin_cli_run_trust_make},
    {.name = "trust show",
     .operands = "FILE",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_trust_show,
     .summary = "show a trust record",
     .details = "",
     .examples = "serin trust show pki/trust.bin --root pki/keys/root.pub",
     .run = serin_cli_run_trust_show},
    {.name = "trust publish",
     .operands = "FILE",
     .operand_min = 1,
     .operand_max = 1,
     .online = true,
     .summary = "hand a trust record to serind, which gives it to the fleet",
     .details = "",
     .examples = "serin trust publish trust-2.bin",
     .run = serin_cli_run_trust_publish},
    {.name = "pack",
     .operands = "",
     .options = serin_cli_options_pack,
     .summary = "make a signed bundle of an image",
     .details =
         "The manifest names size, CRC-32, SHA-256 and piece table of the image and everything a\n"
         "device checks before it installs. The release key signs it; no server ever needs that\n"
         "key. Any P-256 key can sign: which of them devices trust is in the trust record, so run\n"
         "'serin verify FILE --trust TRUST' before you publish.",
     .examples =
         "serin pack --product lamp --version 2.0.0 --image fw.bin --key release.key -o fw.serin\n"
         "serin pack --product lamp --version 2.0.1 --image fw.bin --key release.key -o fw.serin "
         "\\\n"
         "  --hw 1-3 --channels stable,beta --counter 4 --confirm-window 2m",
     .run = serin_cli_run_pack},
    {.name = "inspect",
     .operands = "FILE",
     .operand_min = 1,
     .operand_max = 1,
     .summary = "show what a bundle, a manifest or a trust record says",
     .details = "Nothing is verified; see 'serin verify'.",
     .examples = "serin inspect fw.serin\n"
                 "serin inspect fw.serin --json | jq -r .manifest_id",
     .run = serin_cli_run_inspect},
    {.name = "verify",
     .operands = "FILE",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_verify,
     .summary = "check a bundle, a manifest or a trust record as a device would",
     .details =
         "A bundle or manifest needs --trust; with --root the trust record is verified too. A\n"
         "trust record needs --root. Exit status 4 where anything does not hold.",
     .examples = "serin verify fw.serin --trust pki/trust.bin --root pki/keys/root.pub\n"
                 "serin verify trust-2.bin --root pki/keys/root.pub",
     .run = serin_cli_run_verify},
    {.name = "delta make",
     .operands = "[OLD] NEW",
     .operand_min = 1,
     .operand_max = 2,
     .options = serin_cli_options_delta_make,
     .summary = "make the patch that turns an old image into a new one",
     .details =
         "Tries every architecture, and every back end that the RAM allows, and keeps the\n"
         "smallest. An older patch behind -o is replaced; no other file is. With --no-base the\n"
         "patch needs no old image: it is NEW, compressed.",
     .examples = "serin delta make v1.bin v2.bin -o v1-v2.delta\n"
                 "serin delta make --no-base v2.bin -o v2.delta\n"
                 "serin delta make v1.bin v2.bin -o v1-v2.delta --ram 8k --json | jq .patch_size",
     .run = serin_cli_run_delta_make},
    {.name = "delta apply",
     .operands = "[OLD] PATCH",
     .operand_min = 1,
     .operand_max = 2,
     .options = serin_cli_options_delta_apply,
     .summary = "make the new image of an old one and a patch, as a device does",
     .details =
         "The new image is written only where it is the one that the patch was made for. Exit\n"
         "status 3 for a damaged patch, 4 for one of another image. OLD is left out for a patch\n"
         "that was made with --no-base.",
     .examples = "serin delta apply v1.bin v1-v2.delta -o v2.bin\n"
                 "serin delta apply v2.delta -o v2.bin",
     .run = serin_cli_run_delta_apply},
    {.name = "delta info",
     .operands = "PATCH",
     .operand_min = 1,
     .operand_max = 1,
     .summary = "show what a patch is for, and what it takes",
     .details = "",
     .examples = "serin delta info v1-v2.delta",
     .run = serin_cli_run_delta_info},
    {.name = "publish",
     .operands = "FILE",
     .operand_min = 1,
     .operand_max = 1,
     .online = true,
     .summary = "hand a bundle to serind",
     .details =
         "serind verifies it with the trust record of its product and keeps it for rollouts.\n"
         "Publishing the same bundle again changes nothing.",
     .examples = "serin publish fw.serin",
     .run = serin_cli_run_publish},
    {.name = "release list",
     .operands = "",
     .online = true,
     .summary = "list published releases",
     .details = "",
     .examples = "serin release list",
     .run = serin_cli_run_release_list},
    {.name = "policy check",
     .operands = "FILE",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_policy_check,
     .summary = "show what a policy comes to, without a server",
     .details = "Every key with the value that will be used, as a policy again; behind it what the "
                "test needs.\n"
                "With --devices how many devices each stage has, and what an image that always "
                "fails would\n"
                "cost, tried on the engine itself. Whether the releases exist only serind knows.",
     .examples = "serin policy check policy.yaml\n"
                 "serin policy check policy.yaml --devices 100000\n"
                 "serin policy check policy.yaml --devices 400 --json | jq .always_fails",
     .run = serin_cli_run_policy_check},
    {.name = "simulate",
     .operands = "POLICY",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_simulate,
     .summary = "rehearse a rollout over a simulated fleet, before anything is sent",
     .details =
         "The real engine, gateways' cores, bootloader and agent run in simulated time on "
         "simulated\n"
         "links, flash and power; nothing is sent, and no serind is needed. The policy's releases\n"
         "need not exist: 2.0.0 stands in for them, over 1.0.0. The same seed gives the same\n"
         "result, byte for byte. Exit status 7 when an invariant broke; the result names it, and\n"
         "the command that replays it.",
     .examples =
         "serin simulate policy.yaml\n"
         "serin simulate policy.yaml --devices 100000 --gateways 1000 --seed 7 \\\n"
         "  --scenario bad-day.yaml --timeline line.csv\n"
         "serin simulate policy.yaml --scenario crash.yaml --expect halted --json | jq .exposed",
     .run = serin_cli_run_simulate},
    {.name = "rollout create",
     .operands = "",
     .options = serin_cli_options_rollout_create,
     .online = true,
     .summary = "start a rollout by a policy",
     .details = "The policy names product, channel, release, stages, gates and patience. Without "
                "stages a\n"
                "release goes to 1, 10, 50 and 100 % with 24 h of soak each.",
     .examples = "serin rollout create --policy policy.yaml\n"
                 "id=$(serin rollout create --policy policy.yaml --json | jq .id)",
     .run = serin_cli_run_rollout_create},
    {.name = "rollout list",
     .operands = "",
     .online = true,
     .summary = "list rollouts, newest first",
     .details = "",
     .examples = "serin rollout list",
     .run = serin_cli_run_rollout_list},
    {.name = "rollout show",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .online = true,
     .summary = "show a rollout with its stages and failures",
     .details = "",
     .examples = "serin rollout show 3",
     .run = serin_cli_run_rollout_show},
    {.name = "rollout watch",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .online = true,
     .summary = "follow a rollout until it ends",
     .details = "Exit status 0 when it completed, 4 when it was halted, aborted or superseded. "
                "With --json a\n"
                "line for each change. A restart of serind of up to a minute is waited out.",
     .examples = "serin rollout watch 3\n"
                 "serin rollout watch 3 && echo shipped",
     .run = serin_cli_run_rollout_watch},
    {.name = "rollout pause",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_reason,
     .online = true,
     .summary = "let no further device start",
     .details = "Downloads under way go on; no new trial starts. 'serin rollout resume' goes on.",
     .examples = "serin rollout pause 3 --reason 'support is swamped'",
     .run = serin_cli_run_rollout_command},
    {.name = "rollout resume",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_reason,
     .online = true,
     .grave = true,
     .summary = "go on with a paused rollout",
     .details = "Of a rollout that paused by itself, because all failures stand behind one gateway "
                "or on one\n"
                "hardware revision, this accepts the failures so far: they count against the "
                "release no more.",
     .examples = "serin rollout resume 3",
     .run = serin_cli_run_rollout_command},
    {.name = "rollout halt",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_reason,
     .online = true,
     .grave = true,
     .summary = "stop a rollout for good",
     .details = "Downloads end, what is staged does not boot; devices that confirmed stay on the "
                "release. A\n"
                "gate does the same by itself when too many devices fail.",
     .examples = "serin rollout halt 3 --reason 'crash reports from the field'",
     .run = serin_cli_run_rollout_command},
    {.name = "rollout advance",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_reason,
     .online = true,
     .grave = true,
     .summary = "go to the next stage now, or approve it",
     .details =
         "While a stage soaks, the rest of its soak is skipped; where the next stage asks for "
         "approval,\n"
         "it is given; where a stage is held, it goes on without the proof that it waits "
         "for, on the\n"
         "operator's word. Gates and test go on judging. Refused while devices of the stage "
         "are at it.",
     .examples = "serin rollout advance 3",
     .run = serin_cli_run_rollout_command},
    {.name = "rollout retry",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_reason,
     .online = true,
     .grave = true,
     .summary = "let the devices that failed try again",
     .details = "They are offered the same release under a new attempt number. What failed stays "
                "evidence\n"
                "against the release: failures count once, and are not taken back.",
     .examples = "serin rollout retry 3 --reason 'the depot was empty'",
     .run = serin_cli_run_rollout_command},
    {.name = "rollout abort",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_reason,
     .online = true,
     .grave = true,
     .summary = "withdraw a rollout",
     .details =
         "The directive no longer names the release; the channel is free for another rollout.",
     .examples = "serin rollout abort 3",
     .run = serin_cli_run_rollout_command},
    {.name = "device list",
     .operands = "",
     .options = serin_cli_options_device_list,
     .online = true,
     .summary = "list devices",
     .details = "",
     .examples = "serin device list --state rolled_back\n"
                 "serin device list --enrolment pending --gateway gw-1\n"
                 "serin device list --json | jq '.devices | length'",
     .run = serin_cli_run_device_list},
    {.name = "device show",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .online = true,
     .summary = "show a device with its attempts",
     .details = "",
     .examples = "serin device show sensor-01",
     .run = serin_cli_run_device_show},
    {.name = "device approve",
     .operands = "[ID…]",
     .operand_max = MANY,
     .options = serin_cli_options_device_decide,
     .online = true,
     .grave = true,
     .summary = "enrol devices that wait for it",
     .details = "'serin device list --enrolment pending' shows them. The first one that fails ends "
                "it; those\n"
                "before it stay enrolled.",
     .examples = "serin device approve sensor-01 sensor-02\n"
                 "serin device approve --gateway gw-1",
     .run = serin_cli_run_device_decide},
    {.name = "device refuse",
     .operands = "[ID…]",
     .operand_max = MANY,
     .options = serin_cli_options_device_decide,
     .online = true,
     .grave = true,
     .summary = "do not enrol devices",
     .details = "--gateway refuses those that wait behind it, not those that are enrolled.",
     .examples = "serin device refuse sensor-99\n"
                 "serin device refuse --gateway gw-7",
     .run = serin_cli_run_device_decide},
    {.name = "device move",
     .operands = "ID",
     .operand_min = 1,
     .operand_max = 1,
     .options = serin_cli_options_device_move,
     .online = true,
     .grave = true,
     .summary = "say which gateway speaks for a device",
     .details = "Its reports are taken from there only. A gateway that speaks for devices that are "
                "not its\n"
                "own is refused, and raised as an alarm; moving one to it ends that. A device that "
                "speaks\n"
                "for itself becomes direct without this.",
     .examples = "serin device move sensor-01 --to gw-2\n"
                 "serin device move sensor-01 --to direct",
     .run = serin_cli_run_device_move},
    {.name = "gateway list",
     .operands = "",
     .online = true,
     .summary = "list gateways with what they last told of themselves",
     .details = "NODES are those assigned to the gateway, ONLINE those that it says are there. "
                "HITS are the\n"
                "bytes that nodes got without the uplink; HOLD says why a site starts no trial.",
     .examples = "serin gateway list\n"
                 "serin gateway list --json | jq -r '.gateways[] | select(.status.queued > 0) | "
                 ".id'",
     .run = serin_cli_run_gateway_list},
    {.name = "gateway show",
     .operands = "GW",
     .operand_min = 1,
     .operand_max = 1,
     .online = true,
     .summary = "show a gateway: depot, hits, nodes, queue, leases, holds, claims",
     .details = "",
     .examples = "serin gateway show gw-1",
     .run = serin_cli_run_gateway_show},
    {.name = "gateway refuse",
     .operands = "GW",
     .operand_min = 1,
     .operand_max = 1,
     .online = true,
     .grave = true,
     .summary = "hear nothing of a gateway any more",
     .details = "For one that was stolen, until its certificate is withdrawn. Its nodes stay "
                "assigned to it.",
     .examples = "serin gateway refuse gw-7",
     .run = serin_cli_run_gateway_decide},
    {.name = "gateway allow",
     .operands = "GW",
     .operand_min = 1,
     .operand_max = 1,
     .online = true,
     .grave = true,
     .summary = "hear a gateway again that was refused",
     .details = "",
     .examples = "serin gateway allow gw-7",
     .run = serin_cli_run_gateway_decide},
    {.name = "status",
     .operands = "",
     .online = true,
     .summary = "show how serind is, and its alarms",
     .details = "",
     .examples = "serin status",
     .run = serin_cli_run_status},
    {.name = "audit list",
     .operands = "",
     .options = serin_cli_options_audit_list,
     .alone = true,
     .online = true,
     .summary = "print the audit log",
     .details =
         "Every command, decision, refusal, enrolment and alarm. With --json a line of JSON each.",
     .examples = "serin audit\n"
                 "serin audit --follow --json | jq -r .text",
     .run = serin_cli_run_audit_list},
    {.name = "audit head",
     .operands = "",
     .online = true,
     .summary = "print how far the audit log goes, as SEQ:HASH",
     .details = "Kept on another machine, it proves later that nothing up to it was changed: see "
                "'serin audit\n"
                "verify --head'.",
     .examples = "serin audit head | ssh vault 'cat >>heads.txt'",
     .run = serin_cli_run_audit_head},
    {.name = "audit verify",
     .operands = "FILE…",
     .operand_min = 1,
     .operand_max = MANY,
     .options = serin_cli_options_audit_verify,
     .online = true,
     .summary = "find whatever was altered, removed or moved in an audit log",
     .details = "Give rotated files oldest first; '-' is standard input. Needs no server but for "
                "--live. The chain\n"
                "may begin at any line, since old files are deleted in time: --whole asks for its "
                "first. That\n"
                "lines were cut off at the end shows by --head or --live alone. Exit status 4 "
                "where anything\n"
                "does not hold, 3 where the files are empty or no log at all.",
     .examples = "serin audit verify /var/log/serin/audit.log.1 /var/log/serin/audit.log\n"
                 "serin audit verify --live /var/log/serin/audit.log\n"
                 "zcat audit.log.2.gz audit.log.1.gz | serin audit verify - --head \"$(tail -1 "
                 "heads.txt)\"",
     .run = serin_cli_run_audit_verify},
};

#define STOP "'pause' stops it for a while, 'halt' for good, 'abort' withdraws it"
#define BACK                                                                                  \
    "'halt' stops the release; to take devices back set 'on_halt: revert' in its policy, or " \
    "create "                                                                                 \
    "a rollout of the older release with 'revert: true'"
#define RESUME  "'resume' goes on with a paused rollout, 'advance' opens the next stage"
#define APPROVE "'advance' lets the next stage begin"

static const struct serin_cli_other others[] = {
    {"rollout stop", STOP},
    {"rollout cancel", STOP},
    {"rollout kill", STOP},
    {"rollout delete", STOP},
    {"rollout remove", STOP},
    {"rollout revert", BACK},
    {"rollout rollback", BACK},
    {"rollout undo", BACK},
    {"rollout back", BACK},
    {"rollout approve", APPROVE},
    {"rollout confirm", APPROVE},
    {"rollout unpause", RESUME},
    {"rollout continue", RESUME},
    {"rollout start", "'create' starts one; " RESUME},
    {"rollout restart", RESUME ", 'retry' offers the release again to devices that failed"},
};

const struct serin_cli_table serin_cli_table = {
    .commands = commands,
    .command_count = sizeof(commands) / sizeof(commands[0]),
    .groups = groups,
    .group_count = sizeof(groups) / sizeof(groups[0]),
    .others = others,
    .other_count = sizeof(others) / sizeof(others[0]),
};
