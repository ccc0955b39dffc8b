#include "api/openai_input.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/fields.h"

namespace hearth::api {
namespace {

constexpr size_t kMessagesMax = 4096;
constexpr size_t kPromptsMax = 2048;
constexpr size_t kTextMax = 256 << 20;  // bytes; the server's limit of a body is lower
constexpr size_t kIdsMax = 1 << 24;

struct RoleRow {
  std::string_view name, role;  // no role: known, not built
};
constexpr RoleRow kRoles[] = {{"system", "system"}, {"developer", "system"},
                              {"user", "user"},     {"assistant", "assistant"},
                              {"tool", {}},         {"function", {}}};

// Kinds of parts whose text is in a member of the part.
struct PartRow {
  std::string_view type, member;
};
constexpr PartRow kTextParts[] = {{"text", "text"}, {"input_text", "text"},
                                  {"output_text", "text"}, {"refusal", "refusal"}};

ApiResult<std::string> read_role(const Json& value, std::string_view name) {
  std::string role = TRY(read_string(value, name, 64));
  auto row = std::ranges::find(kRoles, std::string_view(role), &RoleRow::name);
  if (row == std::end(kRoles))
    return refuse(name, "{} takes system, developer, user or assistant, not '{}'", name, role);
  if (row->role.empty()) return refuse(name, "{}: messages of tools are not supported yet", name);
  return std::string(row->role);
}

// Appends the text of one part.
ApiResult<void> read_part(const Json& part, std::string_view name, std::string& out) {
  if (part.is_string()) {
    out += part.as_string();
    return {};
  }
  const Json& type = (*TRY(read_object(part, name)))["type"];
  std::string kind = TRY(read_string(type, fmt::format("{}.type", name), 64));
  auto row = std::ranges::find(kTextParts, std::string_view(kind), &PartRow::type);
  if (row == std::end(kTextParts))
    return refuse(name, "{}: parts of the type '{}' are not supported yet", name, kind);
  const Json& text = part[row->member];
  if (!text.is_string())
    return refuse(name, "{}.{} takes a string, not {}", name, row->member, text.kind());
  out += text.as_string();
  return {};
}

ApiResult<std::string> read_content(const Json& value, std::string_view name) {
  if (value.is_null()) return std::string();
  if (value.is_string()) return value.as_string();
  if (!value.is_array())
    return refuse(name, "{} takes a string or a list of parts, not {}", name, value.kind());
  std::string out;
  for (size_t i = 0; i < value.as_array().size(); ++i) {
    if (i > 0) out += '\n';
    TRY(read_part(value.as_array()[i], fmt::format("{}[{}]", name, i), out));
  }
  return out;
}

ApiResult<ChatMessage> read_message(const Json& value, const std::string& name) {
  const Json& message = *TRY(read_object(value, name));
  ChatMessage out;
  out.role = TRY(read_role(message["role"], name + ".role"));
  for (std::string_view field : {"tool_calls", "function_call", "audio"}) {
    const Json& asked = message[field];
    bool empty = asked.is_null() || (asked.is_array() && asked.as_array().empty());
    std::string path = fmt::format("{}.{}", name, field);
    if (!empty) return refuse(path, "{} is not supported yet", path);
  }
  out.content = TRY(read_content(message["content"], name + ".content"));
  return out;
}

ApiResult<PromptInput> read_prompt(const Json& value, const std::string& name) {
  if (value.is_string()) {
    if (value.as_string().empty()) return refuse(name, "{} is empty", name);
    return TRY(read_string(value, name, kTextMax));
  }
  std::vector<TokenId> ids = TRY(read_ids(value, name, kIdsMax));
  if (ids.empty()) return refuse(name, "{} is empty", name);
  return ids;
}

}  // namespace

ApiResult<std::vector<ChatMessage>> read_openai_messages(const Json& value,
                                                         std::string_view name) {
  if (!value.is_array())
    return refuse(name, "{} takes a list of messages, not {}", name, value.kind());
  if (value.as_array().empty()) return refuse(name, "{} is empty", name);
  if (value.as_array().size() > kMessagesMax) return refuse_size(name, kMessagesMax, "messages");
  std::vector<ChatMessage> out;
  for (const Json& item : value.as_array())
    out.push_back(TRY(read_message(item, fmt::format("{}[{}]", name, out.size()))));
  return out;
}

ApiResult<std::vector<PromptInput>> read_openai_prompts(const Json& value, std::string_view name) {
  std::vector<PromptInput> out;
  bool one = value.is_string() ||
             (value.is_array() && !value.as_array().empty() && value.as_array()[0].is_number());
  if (one) {
    out.push_back(TRY(read_prompt(value, std::string(name))));
    return out;
  }
  if (!value.is_array())
    return refuse(name, "{} takes a text, token ids, or a list of these, not {}", name,
                  value.kind());
  if (value.as_array().empty()) return refuse(name, "{} is empty", name);
  if (value.as_array().size() > kPromptsMax) return refuse_size(name, kPromptsMax, "prompts");
  for (const Json& item : value.as_array())
    out.push_back(TRY(read_prompt(item, fmt::format("{}[{}]", name, out.size()))));
  return out;
}

}  // namespace hearth::api
