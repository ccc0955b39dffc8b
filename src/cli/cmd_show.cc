// hearth show: what a model is.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "cli/command.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "registry/create.h"
#include "registry/describe.h"
#include "registry/parameters.h"
#include "registry/resolve.h"

namespace hearth {
namespace {

// A text that ends with a newline, whatever it ended with.
Result<int> print_text(std::string_view text) {
  std::string out = stdout_is_terminal() ? printable(text) : std::string(text);
  if (!out.empty() && !out.ends_with('\n')) out += '\n';
  TRY(write_out(out));
  return 0;
}

std::string_view language_name(TemplateLanguage language) {
  switch (language) {
    case TemplateLanguage::kNone: return "none";
    case TemplateLanguage::kJinja: return "jinja";
    case TemplateLanguage::kGo: return "go";
  }
  return "none";
}

Result<std::string> parameter_lines(const ResolvedModel& model) {
  Options parameters = TRY(parameters_from_json(model.params));
  std::string out;
  for (const OptionRow& row : parameter_rows()) {
    for (const std::string& value : parameters.list(row.name)) {
      std::string shown = value;
      if (row.type == OptionType::kString) shown.clear(), append_json_string(shown, value);
      out += fmt::format("{:<30} {}\n", row.name, shown);
    }
  }
  return out;
}

// The template that applies: the model's own layer, else the one in the weights' file.
struct ShownTemplate {
  std::string text;
  TemplateLanguage language;
};

ShownTemplate shown_template(const ResolvedModel& model, const ModelFacts& facts) {
  if (!model.template_text.empty()) return {model.template_text, model.language};
  bool none = facts.chat_template.empty();
  return {facts.chat_template, none ? TemplateLanguage::kNone : TemplateLanguage::kJinja};
}

Json number_or_null(const std::optional<uint64_t>& value) {
  return value ? Json(*value) : Json();
}

Result<Json> model_json(const ResolvedModel& model, const ModelFacts& facts) {
  Json out;
  out.set("model", model.display_name);
  out.set("digest", model.digest);
  out.set("path", model.path);
  out.set("format", facts.format);
  out.set("architecture", facts.architecture);
  out.set("name", facts.name);
  out.set("parameters", facts.parameters);
  out.set("bytes", facts.bytes);
  out.set("quantization", facts.quantization);
  out.set("context_length", number_or_null(facts.context_length));
  out.set("embedding_length", number_or_null(facts.embedding_length));
  out.set("layers", number_or_null(facts.layers));
  out.set("vocabulary", number_or_null(facts.vocabulary));
  Json types = Json::Array{};
  for (const ModelFacts::TypeRow& row : facts.types) {
    Json type;
    type.set("type", row.type);
    type.set("tensors", row.tensors);
    type.set("parameters", row.parameters);
    type.set("bytes", row.bytes);
    types.push_back(std::move(type));
  }
  out.set("tensor_types", std::move(types));
  ShownTemplate shown = shown_template(model, facts);
  out.set("template", shown.text);
  out.set("template_language", language_name(shown.language));
  out.set("system", model.system);
  out.set("options", model.params);
  Json messages = Json::Array{};
  for (const SeedMessage& message : model.messages) {
    Json item;
    item.set("role", message.role);
    item.set("content", message.content);
    messages.push_back(std::move(item));
  }
  out.set("messages", std::move(messages));
  Json licenses = Json::Array{};
  for (const std::string& license : model.licenses) licenses.push_back(license);
  out.set("licenses", std::move(licenses));
  return out;
}

std::string indented(std::string_view text, size_t lines_max) {
  std::string out;
  while (!text.empty() && lines_max > 0) {
    size_t end = std::min(text.find('\n'), text.size());
    out += fmt::format("    {}\n", printable(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
    --lines_max;
  }
  if (!text.empty()) out += "    ...\n";
  return out;
}

void append_section(std::string& out, std::string_view title, std::string_view body) {
  if (!body.empty()) out += fmt::format("\n  {}\n{}", title, body);
}

std::string facts_text(const ModelFacts& facts) {
  Table table({});
  auto add = [&](std::string name, std::string value) {
    if (!value.empty()) table.add({"    " + std::move(name), std::move(value)});
  };
  auto number = [](const std::optional<uint64_t>& value) {
    return value ? fmt::format("{}", *value) : std::string();
  };
  add("name", facts.name);
  add("format", facts.format);
  add("architecture", facts.architecture);
  add("parameters", count_text(facts.parameters));
  add("quantization", facts.quantization);
  add("size", size_text(facts.bytes));
  add("context length", number(facts.context_length));
  add("embedding length", number(facts.embedding_length));
  add("layers", number(facts.layers));
  add("vocabulary", number(facts.vocabulary));
  add("license", facts.license);
  return table.text();
}

Result<std::string> overview(const ResolvedModel& model, const ModelFacts& facts) {
  std::string out;
  append_section(out, "Model", facts_text(facts));
  Table types({"    TYPE", "TENSORS", "PARAMETERS", "SIZE"});
  for (const ModelFacts::TypeRow& row : facts.types)
    types.add({"    " + row.type, fmt::format("{}", row.tensors), count_text(row.parameters),
               size_text(row.bytes)});
  append_section(out, "Tensors", types.text());
  append_section(out, "Parameters", indented(TRY(parameter_lines(model)), 100));
  ShownTemplate shown = shown_template(model, facts);
  if (!shown.text.empty())
    append_section(out, fmt::format("Template ({})", language_name(shown.language)),
                   indented(shown.text, 4));
  append_section(out, "System", indented(model.system, 8));
  for (const std::string& license : model.licenses)
    append_section(out, "License", indented(license, 2));
  return out.substr(out.starts_with('\n') ? 1 : 0);
}

// "name: value" lines of the tokenizer's object.
std::string tokenizer_text(const Json& tokenizer) {
  Table table({});
  for (const auto& [name, value] : tokenizer.as_object()) {
    std::string text = value.is_string() ? value.as_string() : value.dump();
    if (value.is_object()) {
      text = value["id"].dump();
      if (value["text"].is_string()) text += " " + value["text"].dump();
    }
    table.add({name, std::move(text)});
  }
  return table.text();
}

Result<int> run_show(const Args& args) {
  const Options& options = args.options;
  int views = 0;
  for (std::string_view view :
       {"modelfile", "template", "tokenizer", "parameters", "license", "system"})
    views += options.flag(view);
  if (views > 1)
    return fail(Code::kUsage,
                "show takes one of --modelfile, --template, --tokenizer, --parameters, --license "
                "and --system at a time");
  ResolvedModel model = TRY(resolve_model(args.positional("MODEL")));
  if (options.flag("modelfile")) return print_text(TRY(modelfile_of(model)));
  if (options.flag("system")) return print_text(model.system);
  if (options.flag("parameters"))
    return print_text(options.flag("json") ? model.params.dump(2) : TRY(parameter_lines(model)));
  if (options.flag("license"))
    return print_text(fmt::format("{}", fmt::join(model.licenses, "\n")));
  if (options.flag("tokenizer")) {
    Json tokenizer = TRY(describe_tokenizer(model.path));
    return print_text(options.flag("json") ? tokenizer.dump(2) : tokenizer_text(tokenizer));
  }
  ModelFacts facts = TRY(describe_model(model.path));
  if (options.flag("template")) return print_text(shown_template(model, facts).text);
  if (options.flag("json")) return print_text(TRY(model_json(model, facts)).dump(2));
  return print_text(TRY(overview(model, facts)));
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name of the store, a .gguf file or a folder"}};

constexpr OptionRow flag_row(std::string_view name, std::string_view text) {
  return {.name = name, .type = OptionType::kFlag, .text = text};
}

constexpr OptionRow kOptions[] = {
    flag_row("modelfile", "print the Modelfile that makes the model again"),
    flag_row("template", "print the chat template, whole"),
    flag_row("tokenizer", "print what its tokenizer is"),
    flag_row("parameters", "print the parameters that are set"),
    flag_row("system", "print the system message"),
    flag_row("license", "print the licenses, whole"),
    kJsonOption,
};

}  // namespace

const Command k_show_command = {.name = "show",
                                .summary = "Show what a model is",
                                .positionals = kPositionals,
                                .options = kOptions,
                                .run = run_show};

}  // namespace hearth
