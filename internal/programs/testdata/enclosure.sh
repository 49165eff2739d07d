# Runs a program in the mount namespace that it is in: sh -c THIS enclosure ROOT HOME PROGRAM ARG...
# ROOT has unpacked packages, or is empty. HOME has the files that the program sees in /etc.
set -e
mount --make-rprivate /
root=$1 home=$2
shift 2
if [ -n "$root" ]; then
	for dir in usr etc; do
		if [ -d "$root/$dir" ]; then
			mount -t overlay overlay -o "lowerdir=$root/$dir:/$dir" "/$dir"
		fi
	done
fi
for dir in "$home"/etc/*; do
	if [ -e "$dir" ]; then
		mount --bind "$dir" "/etc/${dir##*/}"
	fi
done
mount -t tmpfs tmpfs /run
exec "$@"
