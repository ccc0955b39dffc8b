// hearth rm: removes models and the blobs that only they used.
#include "cli/command.h"
#include "cli/library.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

Result<int> run_rm(const Args& args) {
  std::vector<ModelName> names;
  for (const std::string& text : args.positionals("MODEL"))
    names.push_back(TRY(ModelName::parse(text)));
  for (const std::string& name : TRY(TRY(library_for(args.options))->remove(names)))
    TRY(print("deleted '{}'\n", printable(name)));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kMany, "names of the store; all must exist"}};
constexpr OptionRow kOptions[] = {kHostOption, kLocalOption};

}  // namespace

const Command k_rm_command = {.name = "rm",
                              .summary = "Remove models from the store",
                              .help = "Weights go when no other model uses them.",
                              .positionals = kPositionals,
                              .options = kOptions,
                              .run = run_rm};

}  // namespace hearth
