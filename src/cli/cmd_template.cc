// hearth template: the prompt that a chat template makes of a conversation.
#include "base/file.h"
#include "base/time.h"
#include "cli/engine.h"
#include "cli/terminal.h"
#include "container/checkpoint_files.h"
#include "template/go/go_template.h"
#include "template/template.h"

namespace hearth {
namespace {

constexpr uint64_t kBytesMax = 64u << 20;

struct Source {
  std::string text;
  TemplateLanguage language = TemplateLanguage::kJinja;
};

Result<Source> template_source(const std::string& name) {
  if (name.ends_with(".jinja")) return Source{TRY(read_file(name, kBytesMax))};
  if (name.ends_with(".gotmpl"))
    return Source{TRY(read_file(name, kBytesMax)), TemplateLanguage::kGo};
  ResolvedModel resolved = TRY(resolve_model(name));
  if (!resolved.template_text.empty()) return Source{resolved.template_text, resolved.language};
  TensorFile file = TRY(TensorFile::open(resolved.path));
  std::string text;
  if (file.kind() == ContainerKind::kGguf)
    text = TRY(file.metadata().text("tokenizer.chat_template", ""));
  else
    text = TRY(read_checkpoint_template(resolved.path));
  if (text.empty()) return fail(Code::kNotFound, "{} has no chat template", name);
  return Source{std::move(text)};
}

Result<std::string> render(const Source& source, const Json& context,
                           const RenderOptions& options) {
  if (source.language == TemplateLanguage::kGo)
    return TRY(TRY(GoTemplate::compile(source.text)).render(context, options)).text;
  return TRY(Template::compile(source.text)).render(context, options);
}

Result<int> run(const Args& args) {
  if (!args.options.has("messages")) return fail(Code::kUsage, "--messages FILE is needed");
  Source source = TRY(template_source(args.positional("MODEL")));
  const std::string& path = args.options.text("messages");
  auto context = Json::parse(TRY(read_file(path, kBytesMax)));
  if (!context) return std::unexpected(with_context(context.error(), path));
  if (!context->is_object())
    return fail(Code::kInvalid, "{} must hold an object: the template's context", path);
  RenderOptions options;
  if (args.options.has("now")) options.now = TRY(parse_iso_time(args.options.text("now")));
  TRY(write_out(TRY(render(source, *context, options))));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a model, or a file that ends in .jinja or .gotmpl"}};
constexpr OptionRow kOptions[] = {
    {.name = "messages", .type = OptionType::kPath, .value_name = "FILE",
     .text = "JSON: the context (messages, tools, add_generation_prompt, bos_token, ...)"},
    {.name = "now", .type = OptionType::kString, .value_name = "TIME",
     .text = "what the clock says, such as 2026-01-02T03:04:05"},
};

}  // namespace

extern const Command k_template_command = {
    .name = "template",
    .summary = "render a chat template",
    .help = "Prints the prompt as it is; nothing is added, not even a newline.\n\n"
            "Example:\n  hearth template smollm2 --messages chat.json\n",
    .positionals = kPositionals,
    .options = kOptions,
    .run = run,
};

}  // namespace hearth
