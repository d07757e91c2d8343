# bash completion for aloha
# Generated from the table in src/core/config_table.c by tests/unit/write_docs.
_aloha() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at words=''
    # --name=value is three words here: the sign is in COMP_WORDBREAKS
    if [[ $word == '=' ]]; then
        word=''
    elif [[ $before == '=' ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $before in
    --assets | \
        --tls-cert | \
        --tls-key | \
        --ops-token-file | \
        --state-dir | \
        --secret-file | \
        --config)
        COMPREPLY=()
        while IFS= read -r at; do
            COMPREPLY+=("$at")
        done < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
        ;;
    --port | \
        --bind | \
        --host | \
        --origin | \
        --redirect-port | \
        --trusted-proxies | \
        --socket-mode | \
        --base-path | \
        --ops-bind | \
        --ops-port | \
        --user | \
        --message-max | \
        --json-depth-max | \
        --json-values-max | \
        --rate-messages | \
        --burst-messages | \
        --rate-bytes | \
        --burst-bytes | \
        --rate-joins | \
        --burst-joins | \
        --room-peers-max | \
        --rooms-max | \
        --resume-seconds | \
        --backlog-messages | \
        --backlog-max | \
        --backlogs-max | \
        --join-deadline | \
        --ping-after | \
        --gone-after | \
        --queue-max | \
        --queue-messages | \
        --queues-max | \
        --connections-max | \
        --connections-per-address | \
        --rate-connections | \
        --burst-connections | \
        --drain-grace)
        COMPREPLY=()
        return # nobody can guess it
        ;;
    --allow-no-origin) words='no yes' ;;
    --tls) words='no self-signed' ;;
    --metrics-open) words='no yes' ;;
    --log-level) words='error warning info debug' ;;
    --log-format) words='logfmt json' ;;
    --sandbox) words='on off kill' ;;
    --help) words='serving tls proxy operator log state process limits general all' ;;
    *)
        case ${COMP_WORDS[1]} in
        help) ((COMP_CWORD > 2)) || words='serving tls proxy operator log state process limits general all' ;;
        version) ((COMP_CWORD > 2)) || words='' ;;
        ctl) ((COMP_CWORD > 2)) || words='status rooms room close-room remove drain reload log-level health ready metrics' ;;
        *) words='--port --bind --host --origin --allow-no-origin --assets --tls --tls-cert --tls-key --redirect-port --trusted-proxies --socket-mode --base-path --ops-bind --ops-port --ops-token-file --metrics-open --log-level --log-format --state-dir --secret-file --user --sandbox --message-max --json-depth-max --json-values-max --rate-messages --burst-messages --rate-bytes --burst-bytes --rate-joins --burst-joins --room-peers-max --rooms-max --resume-seconds --backlog-messages --backlog-max --backlogs-max --join-deadline --ping-after --gone-after --queue-max --queue-messages --queues-max --connections-max --connections-per-address --rate-connections --burst-connections --drain-grace --config --print-config --check --help --version' ;;
        esac
        ((COMP_CWORD > 1)) || words+=' check help version ctl'
        ;;
    esac
    case ${COMP_WORDS[1]}-$before in
    ctl-drain) words='on off' ;;
    ctl-log-level) words='error warning info debug' ;;
    esac
    COMPREPLY=()
    while read -r at; do
        [[ -z $at ]] || COMPREPLY+=("$at")
    done < <(compgen -W "$words" -- "$word")
}
complete -F _aloha aloha
