using System.Globalization;
using Chat;
using Narad.Samples;

// Chat [--instances 3]       servers and consumer in this process
// Chat server                one role: start each in a process of its own
// Chat server-2 --instances 3
// Chat consumer
var configuration = new ConfigurationBuilder().AddCommandLine(args.SkipWhile(static arg => !arg.StartsWith('-')).ToArray()).Build();
if (!int.TryParse(configuration["instances"] ?? "1", NumberStyles.None, CultureInfo.InvariantCulture, out var instances) || instances is < 1 or > 20)
{
    await Console.Error.WriteLineAsync("--instances takes a number from 1 to 20.");
    return 2;
}

return await Sample.RunAsync(args, ChatRoles.All(instances));
