#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# rules.sh globs|exact N: print a policy of N rules that hide names, by patterns like
# those of a sandbox (at most 40), or by as many whole names.
set -euo pipefail

GLOBS=('.env' '.env.*' '*.pem' '*.key' '*.p12' '*.pfx' '*.jks' '*.keystore' '*.kdbx' '*.ovpn'
	'*.gpg' '*.agekey' '*.tfstate' '*.tfstate.*' '*.tfvars' '*.mobileprovision' 'id_rsa*'
	'id_dsa*' 'id_ecdsa*' 'id_ed25519*' 'credentials.json' 'credentials'
	'client_secret*.json' 'service-account*.json' '*-credentials.y*ml' '[Ss]ecrets.y*ml'
	'secret?.txt' '.netrc' '.npmrc' '.pypirc' '.pgpass' '.my.cnf' '.htpasswd'
	'.git-credentials' '.vault-token' '.ssh' '.gnupg' '.aws' '.kube' 'wallet*.dat')

case "${1:-} ${2:-}" in
globs\ [1-9]*) [ "$2" -le ${#GLOBS[@]} ] && names=("${GLOBS[@]:0:$2}") ;;
exact\ [1-9]*) mapfile -t names < <(seq -f 'nothing%.0f' "$2") ;;
*) false ;;
esac || {
	echo "usage: rules.sh globs 1...${#GLOBS[@]} | exact N" >&2
	exit 2
}
printf 'rules = (\n'
printf '\t{ names = [%s]; action = "hide"; }\n' "$(printf '"%s", ' "${names[@]}" | sed 's/, $//')"
printf ');\n'
