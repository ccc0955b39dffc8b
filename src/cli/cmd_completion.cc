// hearth completion and hearth man: what shells and man read, from the same rows as the help.
#include "cli/help.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

Result<int> run_completion(const Args& args) {
  TRY(write_out(TRY(completion_script(args.positional("SHELL")))));
  return 0;
}

Result<int> run_man(const Args&) {
  TRY(write_out(manual_page(HEARTH_VERSION)));
  return 0;
}

constexpr Positional kShell[] = {{"SHELL", Positional::Count::kRequired, "bash, zsh or fish"}};

}  // namespace

const Command k_completion_command = {
    .name = "completion",
    .summary = "print a script that completes hearth's words in a shell",
    .help = "Commands, options, their values and the names of models.\n\n"
            "  bash  source <(hearth completion bash)\n"
            "  zsh   hearth completion zsh > \"${fpath[1]}/_hearth\"\n"
            "  fish  hearth completion fish | source",
    .positionals = kShell,
    .run = run_completion,
};

const Command k_man_command = {
    .name = "man",
    .summary = "print the manual page",
    .help = "  hearth man > ~/.local/share/man/man1/hearth.1",
    .run = run_man,
};

}  // namespace hearth
