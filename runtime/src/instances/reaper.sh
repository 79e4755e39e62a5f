# Ends the process groups of a host that has ended. Reads lines "+ GROUP" (a process group started)
# and "- GROUP" (it ended) from standard input, which only the host holds open. End of file means
# that the host has ended, however it ended; the groups that are still listed are killed.
trap '' INT TERM HUP
live=' '
while read -r change group; do
    case $change in
    +) live="$live$group " ;;
    -) case $live in *" $group "*) live="${live%%" $group "*} ${live#*" $group "}" ;; esac ;;
    esac
done
for group in $live; do
    kill -KILL "-$group" 2>/dev/null
done
exit 0
