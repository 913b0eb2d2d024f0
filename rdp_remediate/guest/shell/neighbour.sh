#!/bin/sh
# rdp-remediate neighbour 1
# Tries one address and port of another computer: TCP, then an X.224 Connection Request. It changes nothing.
# Run Command gives the parameter as a variable of its name or as the first argument, depending on the agent's version.
# POSIX sh with coreutils, sed, gzip and bash (for /dev/tcp); neither Python nor nc is needed.
LC_ALL=C
export LC_ALL
request=${Request:-${1:-}}
request=${request#Request=}

answer() {
    # run id, address, port, tcp, x224, failed: all of them checked or words of this script
    payload=$(printf '{"address":"%s","failed":%s,"port":%s,"run_id":"%s","schema":"rdp-remediate/neighbour/1","tcp":%s,"x224":%s}' \
        "$2" "$6" "$3" "$1" "$4" "$5")
    # The trailer of gzip begins with the CRC-32 of its input, lowest byte first (RFC 1952).
    sum=$(printf '%s' "$payload" | gzip -c | tail -c 8 | od -An -tx1 -N4 | sed 's/^ *\(..\) \(..\) \(..\) \(..\).*$/\4\3\2\1/')
    printf '#rdpr1 p 1 %s %s %s#end' "$sum" "${#payload}" "$payload"
    echo
    exit 0
}

refuse() { answer "" "" 0 null null "\"$1\""; }

[ -n "$request" ] || refuse 'there is no request'
[ "${#request}" -le 7000 ] || refuse 'the request is too long'
case $request in *[!A-Za-z0-9_-]*) refuse 'the request is not base64url' ;; esac
case $((${#request} % 4)) in 2) pad='==' ;; 3) pad='=' ;; *) pad='' ;; esac
json=$(printf '%s%s' "$request" "$pad" | tr '_-' '/+' | base64 -d 2>/dev/null) || refuse 'the request is not base64url'
# The request is ours and compact: exactly this form is read, and nothing of it is ever evaluated.
form='^{"schema":"rdp-remediate\/guest-request\/1","run_id":"\([A-Za-z0-9._:-]\{1,120\}\)","address":"\([0-9a-f.:]\{2,45\}\)","port":\([0-9]\{1,5\}\)}$'
run=$(printf '%s' "$json" | sed -n "s/$form/\1/p")
address=$(printf '%s' "$json" | sed -n "s/$form/\2/p")
port=$(printf '%s' "$json" | sed -n "s/$form/\3/p")
[ -n "$port" ] || refuse 'the request is not known here'
case $run$address$port in *'
'*) refuse 'the request is not known here' ;; esac
for tool in bash timeout dd od; do
    command -v $tool >/dev/null 2>&1 || answer "$run" "$address" "$port" null null "\"$tool is not there\""
done

# A connect that nothing answers ends with the outer time; the reply is at most 64 bytes, read once.
said=$(timeout 9 bash -c '
    exec 3<>"/dev/tcp/$0/$1" || exit 3
    echo open
    printf "\003\000\000\023\016\340\000\000\000\000\000\001\000\010\000\013\000\000\000" >&3 || exit 4
    timeout 4 dd bs=64 count=1 <&3 2>/dev/null | od -An -v -tx1
' "$address" "$port" 2>&1)
ended=$?
case $said in
    open*)
        reply=$(printf '%s' "$said" | sed 1d | tr -cd 0-9a-f)
        case $reply in
            '') x224='"no_answer"' ;;
            03????????d0??????????*) x224='"answered"' ;;
            *) x224='"not_rdp"' ;;
        esac
        answer "$run" "$address" "$port" '"open"' "$x224" null
        ;;
    *'Connection refused'*) tcp='"refused"' ;;
    *'No route to host'* | *'unreachable'*) tcp='"unreachable"' ;;
    *'timed out'*) tcp='"timeout"' ;;
    *) if [ "$ended" -ge 124 ]; then tcp='"timeout"'; else tcp='"error"'; fi ;;
esac
answer "$run" "$address" "$port" "$tcp" null null
