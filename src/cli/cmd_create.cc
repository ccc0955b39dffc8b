// hearth create: a model from a Modelfile.
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "cli/command.h"
#include "cli/library.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "registry/parameters.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

Result<Modelfile> recipe_of(const Args& args, fs::path& base) {
  if (args.options.has("from")) {
    if (args.options.given("file"))
      return fail(Code::kUsage, "give either --from or --file, not both");
    Modelfile recipe;
    recipe.parameters = Options(parameter_rows());
    recipe.from.push_back({args.options.text("from"), 0});
    base = ".";
    return recipe;
  }
  std::string path = args.options.text("file");
  std::string text;
  if (path == "-") {
    text = TRY(read_stdin(Modelfile::kBytesMax));
    base = ".";
  } else {
    auto read = read_file(path, Modelfile::kBytesMax);
    if (!read && read.error().code == Code::kNotFound && !args.options.given("file"))
      return fail(Code::kNotFound,
                  "there is no Modelfile here; name one with -f, or a model with --from");
    if (!read) return std::unexpected(read.error());
    text = std::move(*read);
    base = fs::path(path).parent_path();
    if (base.empty()) base = ".";
  }
  auto recipe = Modelfile::parse(text);
  if (!recipe) return std::unexpected(with_context(recipe.error(), path));
  return recipe;
}

Result<int> run_create(const Args& args) {
  CreateRequest request{.name = TRY(ModelName::parse(args.positional("NAME")))};
  request.modelfile = TRY(recipe_of(args, request.base));
  auto library = TRY(library_for(args.options));
  uint64_t total = 0;
  std::optional<Progress> bar;
  request.progress = [&](uint64_t done, uint64_t all) {
    if (!bar || total != all) bar.emplace("copying weights", total = all);
    bar->update(done);
  };
  auto created = library->create(request, [&](std::string_view status) {
    bar.reset();
    write_err(printable(status) + "\n");
  });
  bar.reset();
  if (!created) return std::unexpected(created.error());
  for (const std::string& warning : created->warnings)
    write_err("Warning: " + printable(warning) + "\n");
  TRY(print("created '{}' ({})\n", created->name.display(), created->digest.substr(0, 12)));
  return 0;
}

constexpr Positional kPositionals[] = {
    {"NAME", Positional::Count::kRequired, "the model's name, such as mine or mine:v2"}};

constexpr OptionRow kOptions[] = {
    {.name = "file", .type = OptionType::kPath, .letter = 'f', .fallback = "Modelfile",
     .text = "the recipe; - reads it from standard input"},
    {.name = "from", .type = OptionType::kPath, .value_name = "MODEL",
     .text = "instead of a recipe: a .gguf file, a model folder or a model of the store"},
    kHostOption, kLocalOption,
};

}  // namespace

const Command k_create_command = {
    .name = "create",
    .summary = "Make a model from a Modelfile, a .gguf file or a model folder",
    .help = "A Modelfile says what the model starts from and what is set for it:\n"
            "\n"
            "    FROM ./model.gguf\n"
            "    PARAMETER temperature 0\n"
            "    SYSTEM You answer in one sentence.\n"
            "\n"
            "Examples:\n"
            "  hearth create mine -f Modelfile\n"
            "  hearth create smollm2 --from ./SmolLM2-135M.gguf\n"
            "\n"
            "The weights are copied into the store and checked; the files may go afterwards.",
    .positionals = kPositionals,
    .options = kOptions,
    .run = run_create};

}  // namespace hearth
