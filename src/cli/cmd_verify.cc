// hearth verify: reads every manifest and hashes every blob of the store.
#include <optional>

#include "base/json.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "registry/store.h"

namespace hearth {
namespace {

Json report_json(const VerifyReport& report) {
  Json out;
  out.set("models", report.models);
  out.set("blobs", report.blobs);
  out.set("bytes", report.bytes);
  out.set("unreferenced", report.unreferenced);
  Json list = Json::Array{};
  for (const StoreProblem& problem : report.problems) {
    Json item;
    item.set("what", problem.what);
    item.set("problem", problem.problem);
    item.set("repaired", problem.repaired);
    list.push_back(std::move(item));
  }
  out.set("problems", std::move(list));
  return out;
}

Result<void> print_report(const VerifyReport& report) {
  for (const StoreProblem& problem : report.problems)
    TRY(print("{}: {}{}\n", printable(problem.what), printable(problem.problem),
              problem.repaired ? " (removed)" : ""));
  std::string unused = report.unreferenced == 0
                           ? ""
                           : fmt::format(" ({} used by no model)", report.unreferenced);
  return print("{} models, {} blobs{}, {}: {}\n", report.models, report.blobs, unused,
               size_text(report.bytes), report.problems.empty() ? "clean" : "damaged");
}

Result<int> run_verify(const Args& args) {
  bool repair = args.options.flag("repair");
  std::optional<Progress> sized;
  auto report = TRY(Store::open()).verify(repair, [&](uint64_t done, uint64_t total) {
    if (!sized) sized.emplace("checking blobs", total);
    sized->update(done);
  });
  sized.reset();
  if (!report) return std::unexpected(report.error());
  if (args.options.flag("json")) TRY(write_out(report_json(*report).dump(2) + "\n"));
  else TRY(print_report(*report));
  size_t left = 0;
  for (const StoreProblem& problem : report->problems) left += !problem.repaired;
  if (left == 0) return 0;
  return fail(Code::kCorrupt, "{} problems in the store{}", left,
              repair ? "" : "; hearth verify --repair removes what is broken");
}

constexpr OptionRow kOptions[] = {
    {.name = "repair", .type = OptionType::kFlag,
     .text = "remove broken blobs and the models that cannot work without them"},
    kJsonOption,
};

}  // namespace

const Command k_verify_command = {
    .name = "verify",
    .summary = "Check every object of the store",
    .help = "Exits with 0 when every manifest can be read and every blob has the bytes that its "
            "name\nsays, and with 1 otherwise.",
    .options = kOptions,
    .run = run_verify};

}  // namespace hearth
