using Narad.Samples;
using Notifications;
using Notifications.Access;
using Notifications.Producer;

// Notifications                  the consumer: WebSocket server, REST and page, at http://localhost:8083
// Notifications produce …        sends a stream of notifications, or a file of JSON Lines
// Notifications token USER …     prints a token for a user
return args switch
{
    ["produce", ..] => await ProduceCommand.RunAsync(args[1..], Console.Out, Console.Error),
    ["token", ..] => TokenCommand.Run(args[1..], Console.Out, Console.Error),
    _ => await Sample.RunAsync(args, NotificationsRoles.All()),
};
