#include "model/chat.h"

#include <algorithm>

#include "template/unicode.h"

namespace hearth {
namespace {

// Put behind a message that is continued, to find its end in the text. Where the blank does not
// survive, the template trims messages.
constexpr std::string_view kEndMark = "MESSAGE_ENDS_HERE ";

using jinja::strip_left, jinja::strip_right;

bool says_mark(const ChatMessage& message) {
  return message.content.contains(strip_right(kEndMark));
}

// Back to where `answer` ends, which was rendered with the mark behind it; `unique`: no message
// says the like. A template that writes the answer twice leaves a mark in what would be kept.
Result<void> cut_after(std::string_view answer, bool unique, Rendered& out) {
  const std::string_view text = out.text;
  const size_t at = text.rfind(strip_right(kEndMark));
  const std::string_view before = text.substr(0, std::min(at, text.size()));
  const std::string_view trimmed = strip_right(before);
  if (at == std::string_view::npos ||
      (unique && before.contains(strip_right(kEndMark))) ||
      !trimmed.ends_with(strip_left(strip_right(answer))))
    return fail(Code::kInvalid,
                "the chat template does not write the last message as it is, so that it cannot be "
                "continued");
  out.truncate(text.substr(at).starts_with(kEndMark) ? before.size() : trimmed.size());
  return {};
}

}  // namespace

Result<ChatFormat> ChatFormat::compile(std::string_view source, const Tokenizer& tokenizer) {
  auto name = [&](TokenId id) { return id >= 0 ? tokenizer.entry(id) : std::string(); };
  return ChatFormat(TRY(Template::compile(source)), name(tokenizer.bos()), name(tokenizer.eos()));
}

Result<ChatFormat> ChatFormat::compile_go(std::string_view source) {
  return ChatFormat(TRY(GoTemplate::compile(source)));
}

Result<Rendered> ChatFormat::render(const std::vector<ChatMessage>& messages,
                                    const ChatOptions& options) const {
  if (!options.continue_last) return render_list(messages, options);
  if (messages.empty() || messages.back().role != "assistant")
    return fail(Code::kInvalid, "only an answer can be continued, and the last message is none");
  const std::string& answer = messages.back().content;
  std::vector<ChatMessage> list = messages;
  if (strip_right(answer).empty()) {
    list.pop_back();
    return render_list(list, {.think = options.think});
  }
  const bool unique = std::none_of(list.begin(), list.end(), says_mark);
  list.back().content += kEndMark;
  Rendered out = TRY(render_list(list, options));
  TRY(cut_after(answer, unique, out));
  return out;
}

Result<Rendered> ChatFormat::render_list(const std::vector<ChatMessage>& messages,
                                         const ChatOptions& options) const {
  Json::Array list;
  for (const ChatMessage& message : messages)
    list.push_back(Json::Object{{"role", message.role}, {"content", message.content}});
  Json context;
  context.set("messages", std::move(list));
  if (options.think) {
    // The names that templates have for it: Ollama's, Qwen's, DeepSeek's and Granite's.
    for (const auto* name : {"think", "enable_thinking", "thinking"})
      context.set(name, *options.think);
  }
  if (go_) return go_->render(context);
  context.set("add_generation_prompt", !options.continue_last);
  context.set("bos_token", bos_);
  context.set("eos_token", eos_);
  return template_->render_marked(context);
}

Result<ChatPrompt> ChatFormat::prompt(const std::vector<ChatMessage>& messages,
                                      const Tokenizer& tokenizer,
                                      const ChatOptions& options) const {
  const Rendered prompt = TRY(render(messages, options));
  ChatPrompt out;
  out.tokens = tokenizer.encode(prompt.text, {.add_special = false, .parse_special = true,
                                              .foreign = prompt.foreign});
  if (tokenizer.adds_bos() && tokenizer.bos() >= 0 &&
      (out.tokens.empty() || out.tokens.front() != tokenizer.bos()))
    out.tokens.insert(out.tokens.begin(), tokenizer.bos());
  if (options.continue_last) {
    const std::string_view answer = messages.back().content, trimmed = strip_right(answer);
    const bool whole = !trimmed.empty() && prompt.text.ends_with(strip_left(answer));
    out.begun = whole ? answer : trimmed;
  }
  const size_t end = prompt.text.find_last_not_of(" \n\t");
  out.thinking = out.begun.empty() && end != std::string::npos &&
                 std::string_view(prompt.text).substr(0, end + 1).ends_with("<think>");
  return out;
}

}  // namespace hearth
