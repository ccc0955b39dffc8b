// hearth rm: removes models and the blobs that only they used.
#include "cli/command.h"
#include "cli/terminal.h"
#include "registry/store.h"

namespace hearth {
namespace {

Result<int> run_rm(const Args& args) {
  std::vector<ModelName> names;
  for (const std::string& text : args.positionals("MODEL"))
    names.push_back(TRY(ModelName::parse(text)));
  for (const ModelName& name : TRY(TRY(Store::open()).remove(names)))
    TRY(print("deleted '{}'\n", name.display()));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kMany, "names of the store; all must exist"}};

}  // namespace

const Command k_rm_command = {.name = "rm",
                              .summary = "Remove models from the store",
                              .help = "Weights go when no other model uses them.",
                              .positionals = kPositionals,
                              .run = run_rm};

}  // namespace hearth
