#include "model/chat.h"

namespace hearth {

Result<ChatFormat> ChatFormat::compile(std::string_view source, const Tokenizer& tokenizer) {
  auto name = [&](TokenId id) { return id >= 0 ? tokenizer.entry(id) : std::string(); };
  return ChatFormat(TRY(Template::compile(source)), name(tokenizer.bos()), name(tokenizer.eos()));
}

Result<ChatFormat> ChatFormat::compile_go(std::string_view source) {
  return ChatFormat(TRY(GoTemplate::compile(source)));
}

Result<Rendered> ChatFormat::render(const std::vector<ChatMessage>& messages,
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
  context.set("add_generation_prompt", true);
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
  const size_t end = prompt.text.find_last_not_of(" \n\t");
  out.thinking = end != std::string::npos &&
                 std::string_view(prompt.text).substr(0, end + 1).ends_with("<think>");
  return out;
}

}  // namespace hearth
