using Narad.Samples;
using Orders;

// Orders              all roles in this process
// Orders saga         one role: start each in a process of its own
// Roles: orders, saga, payment, stock, shipping
return await Sample.RunAsync(args, OrdersRoles.All());
