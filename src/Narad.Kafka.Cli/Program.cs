using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Narad.Kafka.Cli;

// Not a RootCommand, whose name is that of the program's file.
var root = new Command("narad", "What operators of applications with Narad.Kafka need at a prompt.")
{
    DoctorCommand.Create(), SchemaCommand.Create(), new HelpOption { Recursive = true }, new VersionOption(),
};
try
{
    var parsed = root.Parse(args);
    if (parsed.Action is ParseErrorAction or null)
    {
        var reasons = parsed.Errors.Count > 0 ? string.Join(' ', parsed.Errors.Select(error => error.Message).Distinct(StringComparer.Ordinal))
            : "Required command was not provided.";
        throw new UsageException($"{reasons} See narad {(parsed.CommandResult.Command == root ? "" : $"{parsed.CommandResult.Command.Name} ")}--help.");
    }

    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }).ConfigureAwait(false);
}
catch (UsageException error)
{
    await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
    return ExitCodes.Usage;
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("Cancelled.").ConfigureAwait(false);
    return ExitCodes.Failure;
}
