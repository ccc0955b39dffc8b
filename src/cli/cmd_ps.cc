// hearth ps: the models in a server's memory.
#include <fmt/format.h>

#include <ctime>

#include "cli/client.h"
#include "cli/command.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

// "100% CPU", "25%/75% CPU/GPU".
std::string processor_text(const ServerProcess& process) {
  if (process.size_vram == 0) return "100% CPU";
  if (process.size_vram >= process.size) return "100% GPU";
  const double share = static_cast<double>(process.size_vram) / static_cast<double>(process.size);
  const int gpu = static_cast<int>(share * 100 + 0.5);
  return fmt::format("{}%/{}% CPU/GPU", 100 - gpu, gpu);
}

std::string until_text(int64_t expires, int64_t now) {
  constexpr int64_t kForever = int64_t{100} * 365 * 86400;
  if (expires - now > kForever) return "Forever";
  if (expires <= now) return "Stopping...";
  return span_text(expires - now) + " from now";
}

Json process_json(const ServerProcess& process) {
  Json out;
  out.set("name", process.name);
  out.set("digest", process.digest);
  out.set("size", process.size);
  out.set("size_vram", process.size_vram);
  out.set("context", process.context);
  out.set("expires", process.expires_at);
  return out;
}

Result<int> run_ps(const Args& args) {
  ServerClient client = TRY(ServerClient::create(args.options));
  TRY(client.probe());
  std::vector<ServerProcess> processes = TRY(client.running());
  const std::string prefix = args.positional("PREFIX");
  std::erase_if(processes, [&](const ServerProcess& process) {
    return !same_name(process.name.substr(0, prefix.size()), prefix);
  });
  if (args.options.flag("json")) {
    Json list = Json::Array{};
    for (const ServerProcess& process : processes) list.push_back(process_json(process));
    TRY(write_out(list.dump(2) + "\n"));
    return 0;
  }
  const int64_t now = std::time(nullptr);
  Table table({"NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"});
  for (const ServerProcess& process : processes)
    table.add({process.name, process.digest.substr(0, 12), size_text(process.size),
               processor_text(process), fmt::format("{}", process.context),
               until_text(process.expires, now)});
  TRY(write_out(table.text()));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"PREFIX", Positional::Count::kOptional, "only models whose name begins so"}};
constexpr OptionRow kOptions[] = {kHostOption, kJsonOption};

}  // namespace

const Command k_ps_command = {.name = "ps",
                              .summary = "List the models that a server has in memory",
                              .positionals = kPositionals,
                              .options = kOptions,
                              .run = run_ps};

}  // namespace hearth
