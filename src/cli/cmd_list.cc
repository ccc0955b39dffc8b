// hearth list: the models of the store.
#include <fmt/chrono.h>

#include <ctime>

#include "base/json.h"
#include "cli/command.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "registry/store.h"

namespace hearth {
namespace {

std::string utc_text(int64_t seconds) {
  std::time_t time = seconds;
  std::tm parts = {};
  gmtime_r(&time, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

Json model_json(const StoredModel& model) {
  Json out;
  out.set("name", model.name.display());
  out.set("digest", model.digest);
  out.set("size", model.manifest.total_size());
  out.set("modified", utc_text(model.modified));
  return out;
}

Result<int> run_list(const Args& args) {
  Store store = TRY(Store::open());
  std::vector<StoreProblem> broken;
  std::vector<StoredModel> models = TRY(store.list(&broken));
  std::string prefix = args.positional("PREFIX");
  std::erase_if(models, [&](const StoredModel& model) {
    return !same_name(model.name.display().substr(0, prefix.size()), prefix);
  });
  for (const StoreProblem& problem : broken)
    write_err("Warning: " + printable(problem.what + ": " + problem.problem) + "\n");
  if (args.options.flag("json")) {
    Json list = Json::Array{};
    for (const StoredModel& model : models) list.push_back(model_json(model));
    TRY(write_out(list.dump(2) + "\n"));
    return 0;
  }
  if (args.options.flag("names")) {
    for (const StoredModel& model : models) TRY(print("{}\n", model.name.display()));
    return 0;
  }
  Table table({"NAME", "ID", "SIZE", "MODIFIED"});
  for (const StoredModel& model : models)
    table.add({model.name.display(), model.digest.substr(0, 12),
               size_text(model.manifest.total_size()),
               age_text(std::time(nullptr) - model.modified)});
  TRY(write_out(table.text()));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"PREFIX", Positional::Count::kOptional, "only models whose name begins so"}};
constexpr OptionRow kOptions[] = {
    {.name = "names", .type = OptionType::kFlag, .text = "print only the names, one a line"},
    kJsonOption,
};

}  // namespace

const Command k_list_command = {.name = "list",
                                .alias = "ls",
                                .summary = "List the models of the store",
                                .positionals = kPositionals,
                                .options = kOptions,
                                .run = run_list};

}  // namespace hearth
