// hearth list: the models of the store.
#include <fmt/chrono.h>

#include <ctime>

#include "base/json.h"
#include "cli/command.h"
#include "cli/library.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

std::string utc_text(int64_t seconds) {
  std::time_t time = seconds;
  std::tm parts = {};
  gmtime_r(&time, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

Json model_json(const ListedModel& model) {
  Json out;
  out.set("name", model.name);
  out.set("digest", model.digest);
  out.set("size", model.size);
  out.set("modified", utc_text(model.modified));
  return out;
}

Result<int> run_list(const Args& args) {
  std::vector<std::string> warnings;
  std::vector<ListedModel> models = TRY(TRY(library_for(args.options))->list(warnings));
  std::string prefix = args.positional("PREFIX");
  std::erase_if(models, [&](const ListedModel& model) {
    return !same_name(model.name.substr(0, prefix.size()), prefix);
  });
  for (const std::string& warning : warnings) write_err("Warning: " + printable(warning) + "\n");
  if (args.options.flag("json")) {
    Json list = Json::Array{};
    for (const ListedModel& model : models) list.push_back(model_json(model));
    TRY(write_out(list.dump(2) + "\n"));
    return 0;
  }
  if (args.options.flag("names")) {
    for (const ListedModel& model : models) TRY(print("{}\n", printable(model.name)));
    return 0;
  }
  Table table({"NAME", "ID", "SIZE", "MODIFIED"});
  for (const ListedModel& model : models)
    table.add({model.name, model.digest.substr(0, 12),
               size_text(model.size),
               age_text(std::time(nullptr) - model.modified)});
  TRY(write_out(table.text()));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"PREFIX", Positional::Count::kOptional, "only models whose name begins so"}};
constexpr OptionRow kOptions[] = {
    {.name = "names", .type = OptionType::kFlag, .text = "print only the names, one a line"},
    kJsonOption, kHostOption, kLocalOption,
};

}  // namespace

const Command k_list_command = {.name = "list",
                                .alias = "ls",
                                .summary = "List the models of the store",
                                .positionals = kPositionals,
                                .options = kOptions,
                                .run = run_list};

}  // namespace hearth
