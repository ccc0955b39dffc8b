#include <algorithm>

#include "cli/command.h"

namespace hearth {
namespace {

const Command* const kCommands[] = {
#define COMMAND(name) &k_##name##_command,
#include "cli/commands.def"
#undef COMMAND
};

}  // namespace

std::span<const Command* const> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  auto row = std::ranges::find_if(kCommands, [&](const Command* command) {
    return command->name == name || (!command->alias.empty() && command->alias == name);
  });
  return row == std::end(kCommands) ? nullptr : *row;
}

}  // namespace hearth
