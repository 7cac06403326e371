using System.CommandLine;
using ChatLoad;

// ChatLoad --users 100 --rooms 10 --rate 200 --seconds 20     against samples/Chat at http://localhost:3000
var url = new Option<string>("--url") { Description = "The server instances, with commas between them.", DefaultValueFactory = _ => "http://localhost:3000" };
var users = Number("--users", "Users, with one connection each.", 100);
var rooms = Number("--rooms", "Rooms; users are spread over them.", 10);
var rate = Number("--rate", "Messages per second, by all users together.", 100);
var seconds = Number("--seconds", "For how long messages are measured.", 20);
var warmUp = Number("--warm-up", "Seconds of the same load before that.", 5);
var command = new RootCommand("Signs users in, sends messages, and measures when they arrive.") { url, users, rooms, rate, seconds, warmUp };
command.SetAction(async parsed =>
{
    var addresses = parsed.GetValue(url)!.Split(',').Select(static address => new Uri(address)).ToList();
    var options = new LoadOptions(
        addresses, parsed.GetValue(users), parsed.GetValue(rooms), parsed.GetValue(rate), parsed.GetValue(seconds), parsed.GetValue(warmUp));
    var result = await new LoadRun(options).RunAsync();
    Console.WriteLine(LoadResult.Header);
    Console.WriteLine(result);
    foreach (var (reason, count) in result.Refusals)
    {
        Console.WriteLine($"{count} times: {reason}");
    }

    return result.IsClean ? 0 : 1;
});
return await command.Parse(args).InvokeAsync();

static Option<int> Number(string name, string description, int value)
{
    var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => value };
    option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int>() < 1)
        {
            result.AddError($"{name} must be at least 1.");
        }
    });
    return option;
}
