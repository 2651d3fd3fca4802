# The help text of the Makefile: its "##@" headings and each target's "##" comment.
BEGIN { FS = ":.*## " }
/^##@ / { printf "\n%s\n", substr($0, 5) }
/^[a-z0-9-]+:.*## / { gsub(/\$\$/, "$", $2); printf "  make %-17s %s\n", $1, $2 }
