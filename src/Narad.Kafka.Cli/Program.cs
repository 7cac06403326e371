using System.CommandLine;
using Narad.Kafka.Cli;

var root = new RootCommand("What operators of applications with Narad.Kafka need at a prompt.") { DoctorCommand.Create() };
var parsed = root.Parse(args);
try
{
    var code = await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }).ConfigureAwait(false);
    return parsed.Errors.Count > 0 ? ExitCodes.Usage : code;
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
