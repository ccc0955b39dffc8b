// hearth cp: a second name for a model.
#include "cli/command.h"
#include "cli/library.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

Result<int> run_cp(const Args& args) {
  ModelName from = TRY(ModelName::parse(args.positional("SOURCE")));
  ModelName to = TRY(ModelName::parse(args.positional("TARGET")));
  TRY(TRY(library_for(args.options))->copy(from, to));
  TRY(print("copied '{}' to '{}'\n", from.display(), to.display()));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"SOURCE", Positional::Count::kRequired, "a model of the store"},
    {"TARGET", Positional::Count::kRequired, "its second name; replaces a model of that name"}};
constexpr OptionRow kOptions[] = {kHostOption, kLocalOption};

}  // namespace

const Command k_cp_command = {.name = "cp",
                              .summary = "Give a model a second name",
                              .help = "Both names share the weights: a copy takes no space.",
                              .positionals = kPositionals,
                              .options = kOptions,
                              .run = run_cp};

}  // namespace hearth
