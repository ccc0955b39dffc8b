// The text that a request in OpenAI's words brings: messages of a chat, prompts of a completion.
#pragma once

#include <string_view>
#include <vector>

#include "api/native.h"
#include "base/json.h"

namespace hearth::api {

// The list of messages. Roles become system, user and assistant; parts of a content are joined by
// line ends. What is known but not built (tools, images, audio) is refused by name.
ApiResult<std::vector<ChatMessage>> read_openai_messages(const Json& value, std::string_view name);

// A text, a list of texts, a list of token ids, or a list of such lists; none may be empty.
ApiResult<std::vector<PromptInput>> read_openai_prompts(const Json& value, std::string_view name);

}  // namespace hearth::api
