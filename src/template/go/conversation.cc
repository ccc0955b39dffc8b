#include "template/go/conversation.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::gotmpl {
namespace {

// Places in kMessage's fields (value.cc).
constexpr size_t kRole = 0, kContent = 1, kImagesField = 3;

// Appends a part in time that its own length gives.
void append_to(Rendered& out, const Rendered& part) {
  std::string_view text = part.text;
  size_t at = 0;
  for (const TextRange& range : part.foreign) {
    out.append(text.substr(at, range.begin - at), false);
    out.append(text.substr(range.begin, range.end - range.begin), true);
    at = range.end;
  }
  out.append(text.substr(at), false);
}

// [img-N] for every image: where the content says "[img]", the others in front.
Rendered with_images(const Rendered& content, size_t images, size_t& next_image) {
  Rendered front, body;
  size_t at = 0;
  bool none_left = false;
  for (size_t i = 0; i < images; ++i) {
    std::string mark = fmt::format("[img-{}]", next_image++);
    size_t place = none_left ? std::string::npos : content.text.find("[img]", at);
    none_left = place == std::string::npos;  // not looked for again
    if (none_left) {
      front.append(mark, false);
      continue;
    }
    append_to(body, cut(content, at, place));
    body.append(mark, false);
    at = place + 5;
  }
  append_to(body, cut(content, at, content.text.size()));
  append_to(front, body);
  return front;
}

// A message with its content as one text.
Result<Json> flat_message(const Json& message) {
  if (!message.is_object())
    return fail(Code::kInvalid, "a message is a JSON {}, not an object", message.kind());
  if (!message["content"].is_array()) return message;
  std::string text;
  for (const Json& part : message["content"].as_array()) {
    if (part["type"] != Json("text") || !part["text"].is_string())
      return fail(Code::kInvalid, "a part of a message's content is no text");
    text += part["text"].as_string();
  }
  Json out = message;
  out.set("content", std::move(text));
  return out;
}

Result<Turn> read_turn(const Json& message, size_t& next_image) {
  Json flat = TRY(flat_message(message));
  Value value = TRY(decode(flat, kMessage, true));
  Turn turn;
  for (size_t i = 0; i < kMessage.fields.size(); ++i) turn.fields.push_back(value.field(i));
  turn.role = turn.fields[kRole].as_text().text;
  for (char& c : turn.role)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  turn.content = with_images(turn.fields[kContent].as_text(), turn.fields[kImagesField].size(),
                             next_image);
  return turn;
}

Result<void> read_think(const Json& json, Conversation& out) {
  out.think_level = Value::plain("");
  const Json& think = json["think"];
  if (think.is_null()) return {};
  out.think_is_set = true;
  if (think.is_bool()) {
    out.think = think.as_bool();
    if (out.think) out.think_level = Value::plain("medium");
    return {};
  }
  static constexpr std::string_view kLevels[] = {"high", "medium", "low"};
  if (think.is_string() &&
      std::find(std::begin(kLevels), std::end(kLevels), think.as_string()) != std::end(kLevels)) {
    out.think = true;
    out.think_level = Value::plain(think.as_string());
    return {};
  }
  return fail(Code::kInvalid, "think is true, false, \"high\", \"medium\" or \"low\", not {}",
              think.dump());
}

}  // namespace

Result<Conversation> read_conversation(const Json& json) {
  Conversation out;
  size_t next_image = 0;
  const Json& messages = json["messages"];
  if (!messages.is_null() && !messages.is_array())
    return fail(Code::kInvalid, "messages is a JSON {}, not a list", messages.kind());
  bool has_system = false;
  for (size_t i = 0; messages.is_array() && i < messages.as_array().size(); ++i) {
    auto turn = read_turn(messages.as_array()[i], next_image);
    if (!turn) return std::unexpected(with_context(turn.error(), fmt::format("message {}", i)));
    if (turn->role == "system") {
      if (has_system) out.system.append("\n\n", false);
      append_to(out.system, turn->content);
      has_system = true;
    }
    if (!out.turns.empty() && out.turns.back().role == turn->role && turn->role != "tool") {
      out.turns.back().content.append("\n\n", false);
      append_to(out.turns.back().content, turn->content);
    } else {
      out.turns.push_back(*std::move(turn));
    }
  }
  auto tools = decode(json["tools"], kTools, true);
  if (!tools) return std::unexpected(with_context(tools.error(), "tools"));
  out.tools = *std::move(tools);
  out.prompt = TRY(decode(json["prompt"], kString, true));
  out.suffix = TRY(decode(json["suffix"], kString, true));
  TRY(read_think(json, out));
  return out;
}

Value messages_value(const Conversation& conversation) {
  if (conversation.turns.empty()) return Value::composite(kMessages, nullptr);
  auto items = std::make_shared<Value::Items>();
  for (const Turn& turn : conversation.turns) {
    auto fields = std::make_shared<Value::Items>(turn.fields);
    (*fields)[kRole] = Value::plain(turn.role);
    (*fields)[kContent] = Value::text(turn.content);
    items->push_back(Value::composite(kMessagePointer, std::move(fields)));
  }
  return Value::composite(kMessages, std::move(items));
}

Value map_value(std::vector<std::pair<std::string_view, Value>> members) {
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  auto items = std::make_shared<Value::Items>();
  for (auto& [name, value] : members) {
    items->push_back(Value::plain(name));
    items->push_back(std::move(value));
  }
  return Value::composite(kAnyMap, std::move(items));
}

}  // namespace hearth::gotmpl
