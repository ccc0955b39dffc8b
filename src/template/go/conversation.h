// Conversation: what a template in Ollama's Go language is rendered with, read from the JSON of
// Ollama's chat request.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "template/go/value.h"
#include "template/rendered.h"

namespace hearth::gotmpl {

struct Turn {
  std::string role;  // lower case
  Rendered content;
  Value::Items fields;  // of api.Message; role and content as above
};

struct Conversation {
  std::vector<Turn> turns;  // consecutive messages of one role (but for tools) are one turn
  Rendered system;          // all system texts, joined by blank lines
  Value tools;
  Value prompt, suffix;  // texts
  bool think = false, think_is_set = false;
  Value think_level;  // text
};

// {"messages": [{"role", "content", "thinking", "images", "tool_calls", "tool_name",
// "tool_call_id"}], "tools": [...], "prompt": "", "suffix": "", "think": true or "high"}; other
// members are not looked at. Content may be a list of text parts. Images leave marks [img-N], at
// "[img]" or in front of the content. Everything but roles and marks is foreign. kInvalid.
Result<Conversation> read_conversation(const Json& json);

// The value .Messages of a template.
Value messages_value(const Conversation& conversation);

// A map as the data of a template; the names in any order.
Value map_value(std::vector<std::pair<std::string_view, Value>> members);

}  // namespace hearth::gotmpl
