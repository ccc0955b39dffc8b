// What may be typed in a chat beside messages: "/clear", "/set parameter seed 1". One row each.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/chat/conversation.h"
#include "terminal/line_editor.h"

namespace hearth {

struct Chat {
  std::unique_ptr<Conversation> conversation;
  const Options* options = nullptr;      // of `hearth run`
  terminal::History* history = nullptr;
  bool leave = false;
  std::string initial;  // what stands in the next line to begin with
};

struct ChatCommand {
  std::string_view name;       // "/clear"
  std::string_view arguments;  // "NAME"; empty: none
  std::string_view text;       // one line of help
  Result<void> (*run)(Chat& chat, std::string_view arguments);
};

std::span<const ChatCommand> chat_commands();

// Runs a line that begins with '/'. kUsage, with the nearest name, for one that is none.
Result<void> run_chat_command(Chat& chat, std::string_view line);

// Tab: names of commands, what may follow them, models, files.
terminal::Completions complete_chat(const Chat& chat, std::string_view text, size_t cursor);

}  // namespace hearth
