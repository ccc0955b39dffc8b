// hearth stop: takes models out of a server's memory.
#include "cli/client.h"
#include "cli/command.h"

namespace hearth {
namespace {

Result<int> run_stop(const Args& args) {
  ServerClient client = TRY(ServerClient::create(args.options));
  TRY(client.probe());
  for (const std::string& model : args.positionals("MODEL")) {
    TRY(client.show(model));  // one that is not in the store is a mistake, one that rests is none
    TRY(client.unload(model));
  }
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kMany, "models of the server"}};
constexpr OptionRow kOptions[] = {kHostOption};

}  // namespace

const Command k_stop_command = {.name = "stop",
                                .summary = "Take models out of a server's memory",
                                .help = "Answers that are being given are finished first.",
                                .positionals = kPositionals,
                                .options = kOptions,
                                .run = run_stop};

}  // namespace hearth
